"""What `restore` takes for images, and what it refuses, in one sentence each."""

from functools import partial

import pytest
import torch
from PIL import Image

import softdiffusion as sd
from tests.registry import IMAGES, LINES, every_third, process, small_network

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*a residual that contradicts:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*that is raised to:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*another noise than sigma_y:UserWarning"),
]

LINEAR = sd.GaussianDenoiser.fit(process(), IMAGES)
SHORT = partial(sd.BridgeSampler, steps=2)


def restored(y, denoiser=LINEAR, **arguments) -> torch.Tensor:
    arguments = {"severity": 1.0, "generator": sd.generators(0, range(3))} | arguments
    return sd.restore(denoiser, y, sampler=SHORT, **arguments).samples


def test_arrays_and_pictures_are_images():
    expected = restored(IMAGES)
    torch.testing.assert_close(restored(IMAGES.numpy()), expected)
    torch.testing.assert_close(restored(IMAGES.clone().requires_grad_()), expected)
    bytes_ = ((IMAGES + 1) * 127.5).round().to(torch.uint8)
    pictures = [Image.fromarray(image[0].numpy()) for image in bytes_]
    torch.testing.assert_close(restored(pictures), restored(bytes_ / 127.5 - 1))
    torch.testing.assert_close(restored(IMAGES, data=IMAGES.numpy()), restored(IMAGES, data=IMAGES))


@pytest.mark.parametrize("weights", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("images", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("way", ["level", "operator"])
def test_every_precision_of_model_and_images_works(weights, images, way):
    model = sd.Denoiser(small_network().to(weights), process())
    found = restored(IMAGES.to(images), model, route=way, data=IMAGES, sigma_y=0.05)
    assert found.dtype == images and found.isfinite().all()


ONE = {"severity": 1.0}


@pytest.mark.parametrize(
    ("y", "arguments", "kind", "message"),
    [
        ((IMAGES + 1) * 127.5, ONE, ValueError, "x / 127.5 - 1"),
        (((IMAGES + 1) * 127.5).byte(), ONE, ValueError, "x / 127.5 - 1"),
        (((IMAGES + 1) * 127.5).byte().numpy(), ONE, ValueError, "x / 127.5 - 1"),
        ((LINES + 1) * 127.5, {"operator": every_third(), "data": IMAGES}, ValueError, "x / 127.5"),
        (IMAGES.to(torch.complex64), ONE, ValueError, "view_as_real"),
        (IMAGES[..., :0], ONE, ValueError, "At least one image with pixels"),
        (IMAGES[0, 0], ONE, ValueError, "must have the axes"),
        (None, ONE, TypeError, "images y must be a tensor"),
        ("photo.png", ONE, TypeError, "images y must be a tensor"),
        (IMAGES, {"severity": [1.0] * 4}, ValueError, "3 images need one severity, or one each"),
        (IMAGES, {"severity": "strong"}, TypeError, "severity must be a number"),
        (IMAGES, ONE | {"sigma_y": [0.1, 0.2]}, ValueError, "3 images need one sigma_y"),
        (IMAGES, ONE | {"sigma_y": "some"}, TypeError, "sigma_y must be a number"),
        (IMAGES, ONE | {"sigma_y": -0.1}, ValueError, "sigma_y must be finite"),
        (IMAGES, ONE | {"sigma_y": float("nan")}, ValueError, "sigma_y must be finite"),
        (IMAGES, ONE | {"samples": 1.5}, TypeError, "samples must be a whole number"),
        (IMAGES, ONE | {"samples": 10**9}, ValueError, "samples must be in"),
        (IMAGES, ONE | {"batch_size": "2"}, TypeError, "batch_size must be a whole number"),
        (IMAGES, ONE | {"batch_size": 0}, ValueError, "batch_size must be in"),
        (IMAGES, ONE | {"generator": 3}, TypeError, "generator must be a torch.Generator"),
        (IMAGES, ONE | {"generator": [1, 2, 3]}, TypeError, "generator must be a torch.Generator"),
        (IMAGES, ONE | {"data": IMAGES[..., :4]}, ValueError, "but the data have"),
        (IMAGES, ONE | {"data": [1, 2]}, TypeError, "data must be a tensor"),
        (LINES, {"operator": every_third(), "data": IMAGES[..., :4]}, ValueError, "operator"),
        (IMAGES, {"operator": every_third(), "data": IMAGES}, ValueError, "operator makes of the"),
        (IMAGES, {"operator": sd.GaussianBlur(), "data": IMAGES}, TypeError, "a linear operator"),
    ],
)
def test_what_is_no_image_or_argument_is_refused_in_one_sentence(y, arguments, kind, message):
    with pytest.raises(kind, match=message) as said:
        sd.restore(LINEAR, y, sampler=SHORT, **arguments)
    assert "\n" not in str(said.value)


def test_a_model_for_other_channels_says_so():
    model = sd.Denoiser(small_network(), process())
    with pytest.raises(ValueError, match="y have 3 channels, but the model is for 1"):
        restored(IMAGES.expand(3, 3, -1, -1), model)
    with pytest.raises(TypeError, match="denoiser must be a denoiser"):
        restored(IMAGES, "model")
