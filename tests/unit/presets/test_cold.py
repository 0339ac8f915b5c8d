"""Cold Diffusion against its degradations and its two algorithms, written in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

from softdiffusion.presets import GaussianMasks, cold_blur, cold_inpainting, cold_pixelate
from softdiffusion.presets.cold import windowed_variance
from tests.unit.presets.networks import Tiny, moment, normal

SIDE = 8
Degrade = Callable[[np.ndarray, int], np.ndarray]


def window(std: float, width: int) -> np.ndarray:
    j = np.arange(width) - width // 2
    kernel = np.exp(-(j**2) / (2 * std**2))
    return kernel / kernel.sum()


def blur(x: np.ndarray, level: int) -> np.ndarray:
    """A Gaussian with the variance of the kernels' product: e^(0.01 i) pixels, 27 wide."""
    j2 = (np.arange(27) - 13) ** 2
    variance = sum(float(j2 @ window(np.exp(0.01 * i), 27)) for i in range(level))
    omega2 = (np.pi * np.arange(SIDE) / SIDE) ** 2
    factor = np.exp(-0.5 * variance * (omega2[:, None] + omega2[None, :]))
    return idctn(factor * dctn(x, axes=(2, 3), norm="ortho"), axes=(2, 3), norm="ortho")


def mask(x: np.ndarray, level: int) -> np.ndarray:
    offset2 = (np.arange(SIDE) - (SIDE - 1) / 2) ** 2
    r2 = offset2[:, None] + offset2[None, :]
    for i in range(1, level + 1):
        x = x * (1 - np.exp(-r2 / (2 * (0.2 * i) ** 2)))
    return x


def pixelate(x: np.ndarray, level: int) -> np.ndarray:
    block = 2**level
    blocks = x.reshape(*x.shape[:2], SIDE // block, block, SIDE // block, block)
    return np.broadcast_to(blocks.mean(axis=(3, 5), keepdims=True), blocks.shape).reshape(x.shape)


PRESETS = {
    "blur": (cold_blur, blur, 12),
    "inpainting": (cold_inpainting, mask, 20),
    "pixelate": (cold_pixelate, pixelate, 3),
}
every_degradation = pytest.mark.parametrize(
    ("preset", "degrade", "levels"), PRESETS.values(), ids=PRESETS
)


def restore(x: np.ndarray, level: int, levels: int) -> np.ndarray:
    state = torch.from_numpy(np.ascontiguousarray(x))
    with torch.no_grad():
        return Tiny()(state, moment(level / levels, state)).numpy()


@every_degradation
def test_every_level_is_the_papers(preset, degrade, levels):
    x0 = normal(2, 1, SIDE, SIDE)
    process = preset(levels=levels).process
    for level in range(levels + 1):
        x_t = process.perturb(x0, level / levels, torch.ones_like(x0))
        np.testing.assert_allclose(x_t, degrade(x0.numpy(), level), rtol=1e-9, atol=1e-9)


@every_degradation
def test_the_first_algorithm(preset, degrade, levels):
    x1 = normal(2, 1, SIDE, SIDE)
    x = x1.numpy()
    for s in range(levels, 0, -1):
        x = degrade(restore(x, s, levels), s - 1)
    cold = preset(levels=levels, algorithm=1)
    images = cold.sampler(cold.denoiser(Tiny()))(x1)
    np.testing.assert_allclose(images, x, rtol=1e-9, atol=1e-9)


@every_degradation
def test_the_second_algorithm(preset, degrade, levels):
    x1 = normal(2, 1, SIDE, SIDE)
    x = x1.numpy()
    for s in range(levels, 0, -1):
        x0_hat = restore(x, s, levels)
        x = x - degrade(x0_hat, s) + degrade(x0_hat, s - 1)
    cold = preset(levels=levels)
    images = cold.sampler(cold.denoiser(Tiny()))(x1)
    np.testing.assert_allclose(images, x, rtol=1e-9, atol=1e-9)


@every_degradation
def test_the_loss_is_the_absolute_error(preset, degrade, levels):
    cold, x0, t = preset(levels=levels), normal(3, 1, SIDE, SIDE), torch.tensor([1.0, 2.0, 3.0])
    t = t.double() / levels
    x_t = [degrade(x0[i : i + 1].numpy(), i + 1) for i in range(3)]
    x0_hat = Tiny()(torch.from_numpy(np.concatenate(x_t)), t).detach()
    loss = cold.objective(cold.process, cold.denoiser(Tiny()), x0, t, torch.ones_like(x0))
    torch.testing.assert_close(loss, (x0_hat - x0).abs().flatten(1).mean(dim=1))


def test_an_unknown_algorithm():
    with pytest.raises(ValueError, match="algorithms 1 and 2, not 3"):
        cold_blur(algorithm=3)


@pytest.mark.parametrize("count", [1, 5, 30])
def test_the_variances_of_the_kernels_add_up(count):
    kernel = np.ones(1)
    for i in range(count):
        kernel = np.convolve(kernel, window(np.exp(0.01 * i), 27))
    j = np.arange(len(kernel)) - len(kernel) // 2
    expected = sum(windowed_variance(float(np.exp(0.01 * i)), 27) for i in range(count))
    assert float(j**2 @ kernel) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("width", [0, 26])
def test_a_window_without_a_middle(width):
    with pytest.raises(ValueError, match="odd number of pixels"):
        cold_blur(width=width)


@given(st.floats(0.0, 5.0), st.integers(0, 100))
def test_masks_fade_in_one_after_the_other(number: float, seed: int):
    """Between two whole numbers of masks the image is on the line between them."""
    x, family = normal(1, 1, 5, 6, seed=seed), GaussianMasks(0.7, 6)
    below = int(number)
    line = torch.lerp(family.at(float(below))(x), family.at(float(below + 1))(x), number - below)
    torch.testing.assert_close(family.at(number)(x), line)


def test_masks_of_several_numbers_at_once():
    x, family = normal(3, 2, 5, 6), GaussianMasks(0.7, 6)
    numbers = torch.tensor([0.0, 1.3, 6.0], dtype=torch.float64)
    alone = [family.at(float(n))(x[i : i + 1]) for i, n in enumerate(numbers)]
    torch.testing.assert_close(family.at(numbers)(x), torch.cat(alone))


@pytest.mark.parametrize("options", [{"growth": 0.0}, {"count": 0}])
def test_impossible_masks(options):
    with pytest.raises(ValueError, match="growth > 0 and a number of at least 1"):
        GaussianMasks(**options)
