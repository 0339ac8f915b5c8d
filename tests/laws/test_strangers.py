"""What else strangers give to functions: a sentence that names the argument, or a right result."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion as sd
from softdiffusion import metrics, plots
from softdiffusion.checks import as_images, check_data
from tests.registry import class_denoiser, gaussian_denoiser, process

IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
BYTES = (IMAGES + 1) * 127.5
FEATURES = torch.randn(20, 4, generator=torch.Generator().manual_seed(1))
WRONG = [
    None,
    "x",
    3,
    ["x"],
    {"x": 1},
    IMAGES + 1j,
    IMAGES.bool(),
    IMAGES * torch.nan,
    IMAGES[0, 0],
]


def check_refused(use, value):
    with pytest.raises((TypeError, ValueError)) as caught:
        use(value)
    assert "\n" not in str(caught.value)
    assert "object has no attribute" not in str(caught.value)
    assert "not supported" not in str(caught.value)


@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:12])
def test_metrics_and_pictures_refuse_what_is_no_batch_of_images(value, tmp_path):
    for use in (
        lambda v: metrics.psnr(v, IMAGES),
        lambda v: metrics.psnr(IMAGES, v),
        lambda v: metrics.ssim(v, IMAGES, sigma=0.5),
        lambda v: plots.save_grid(v, tmp_path / "grid.png"),
        lambda v: plots.save_images(v, tmp_path / "images"),
        lambda v: plots.save_strip(v, tmp_path / "strip.png", ["a"]),
        lambda v: plots.save_animation(v, tmp_path / "moving.gif"),
    ):
        check_refused(use, value)


@pytest.mark.parametrize(
    "value",
    [None, "x", 3, FEATURES.tolist(), FEATURES + 1j, FEATURES[:, :3], FEATURES[0], FEATURES * 1e39],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize("name", ["FrechetDistance", "KernelDistance", "PrecisionRecall"])
def test_distances_refuse_what_are_no_features_of_one_length(name, value):
    check_refused(getattr(metrics, name)(FEATURES), value)
    check_refused(lambda v: getattr(metrics, name)(v)(FEATURES), value)
    check_refused(metrics.NearestNeighbours(FEATURES), value)
    check_refused(lambda v: metrics.NearestNeighbours(v)(FEATURES), value)


@pytest.mark.parametrize("value", [None, 3, "x", IMAGES])
def test_an_extractor_has_a_name(value):
    check_refused(metrics.extractor, value)


def test_arrays_and_pillow_images_are_measured_and_shown_as_tensors_are(tmp_path):
    pictures = [Image.fromarray(image[0].round().byte().numpy()) for image in BYTES]
    same = as_images("Images", pictures)

    assert metrics.psnr(pictures, IMAGES.numpy()).isinf().all()
    assert metrics.digest(pictures) == metrics.digest(IMAGES)
    for form in (IMAGES, IMAGES.numpy(), pictures):
        plots.save_grid(form, tmp_path / "grid.png", columns=1, scale=1)
        grid = np.array(Image.open(tmp_path / "grid.png"))
        assert (grid[1:9, 1:9] == plots.to_uint8(same)[0, ..., 0]).all()


def test_bytes_are_never_taken_for_images(tmp_path):
    for data in (BYTES, BYTES.byte(), BYTES.numpy(), BYTES.byte().numpy()):
        for use in (
            partial(sd.GaussianPrior.fit, process()),
            partial(sd.MixturePrior.fit, process()),
            partial(sd.DataPrior, process()),
            partial(sd.GaussianDenoiser.fit, process()),
            lambda d: sd.schedules.wasserstein(sd.GaussianBlur(), d, 4.0, (0.1, 0.2), levels=3),
            lambda d: sd.restore(gaussian_denoiser(), IMAGES, severity=1.0, data=d),
            metrics.digest,
            metrics.eight_bit,
        ):
            with pytest.raises(ValueError, match="real numbers|floats|go from 0|lie in"):
                use(data)
    with pytest.raises(ValueError, match="uint8"):
        plots.save_grid(BYTES.byte(), tmp_path / "grid.png")


def test_images_without_numbers_or_behind_a_mask_are_refused():
    with pytest.raises(ValueError, match="meta device"):
        check_data(IMAGES.to("meta"))
    with pytest.raises(ValueError, match="masked entries"):
        as_images("Images", np.ma.masked_array(IMAGES.numpy(), mask=IMAGES.numpy() > 0))
    with pytest.raises(TypeError, match=r"give its \.tensor\(\)"):
        check_data(sd.data.ArrayImages("x", IMAGES))


@pytest.mark.parametrize("sampler", ["heun", 3, lambda p, d: None, "made"])
def test_restore_names_a_sampler_that_is_none(sampler):
    model = gaussian_denoiser()
    images = torch.zeros(2, *model.mean.shape)
    if sampler == "made":
        sampler = sd.MultistepSampler(model.process, model, steps=2)

    with pytest.raises(TypeError, match="sampler must make a sampler"):
        sd.restore(model, images, severity=1.0, sampler=sampler)


def test_restore_says_how_to_give_a_wrapped_denoiser():
    with pytest.raises(TypeError, match=r"give its \.module"):
        sd.restore(torch.nn.DataParallel(class_denoiser()), IMAGES, severity=1.0)


def test_a_mosaic_beyond_all_memory_is_refused(tmp_path):
    for changed in ({"columns": 10**9}, {"scale": 10**6}, {"columns": 2.5}, {"scale": "2"}):
        check_refused(lambda v: plots.save_grid(IMAGES, tmp_path / "grid.png", **v), changed)


@pytest.mark.parametrize(
    "changed", [{"size": True}, {"size": 8.0}, {"channels": True}, {"channels": 1.0}]
)
def test_data_have_whole_sizes(changed):
    with pytest.raises(TypeError, match="must be a whole number"):
        sd.data.open("digits", **changed)


def test_a_hop_is_compiled_as_one_graph():
    hop = process().transition
    t, s = torch.tensor([0.5, 0.9]), torch.tensor([0.2, 0.9])

    compiled = torch.compile(lambda t, s: hop(t, s).rho, backend="eager", fullgraph=True)

    torch.testing.assert_close(compiled(t, s), hop(t, s).rho)


def test_a_training_needs_weights_that_can_be_trained(tmp_path):
    def train(denoiser):
        sd.train(IMAGES, denoiser, sd.SoftScoreMatching(), 4, out=tmp_path / "run", progress=False)

    small = sd.Denoiser(sd.SmallUNet(1, width=8), process())
    for denoiser in (sd.EMA(small), small.requires_grad_(False)):
        with pytest.raises(ValueError, match="no weights that are trained"):
            train(denoiser)
    with pytest.raises(ValueError, match="half precision"):
        train(sd.Denoiser(sd.SmallUNet(1, width=8), process()).half())
    assert not (tmp_path / "run").exists()


def test_images_with_a_gradient_and_labels_in_a_list():
    assert not sd.data.ArrayImages("x", IMAGES.clone().requires_grad_()).tensor().requires_grad
    with pytest.raises(TypeError, match="labels of x must be a tensor"):
        sd.data.ArrayImages("x", IMAGES, [0, 1, 2])
