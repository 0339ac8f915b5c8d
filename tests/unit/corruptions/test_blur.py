import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import fourier_gaussian, gaussian_filter

import softdiffusion as sd

SIDES = st.integers(1, 24)
SEEDS = st.integers(0, 1000)


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((height, width))


def blurred(x: np.ndarray, severity: float) -> np.ndarray:
    return sd.GaussianBlur().at(severity)(torch.from_numpy(x)[None, None])[0, 0].numpy()


@given(SIDES, SIDES, SEEDS, st.floats(0, 30))
def test_the_blur_is_scipys_in_the_frequencies_of_the_mirrored_image(height, width, seed, severity):
    x = image(height, width, seed)
    mirrored = np.block([[x, x[:, ::-1]], [x[::-1], x[::-1, ::-1]]])
    spectrum = fourier_gaussian(np.fft.fft2(mirrored), severity)
    expected = np.fft.ifft2(spectrum).real[:height, :width]
    assert np.linalg.norm(blurred(x, severity) - expected) <= 1e-10 * np.linalg.norm(x)


@given(SIDES, SIDES, SEEDS, st.floats(1, 12))
def test_the_blur_is_that_of_a_sampled_kernel(height, width, seed, severity):
    r"""The tolerance is the theory of sampling, not a fit.

    By Poisson's sum formula a kernel sampled at every pixel has the transfer function
    sum_m g(w + 2 pi m) / sum_m g(2 pi m), with g(w) = exp(-severity^2 w^2 / 2) that of the
    continuous one. On |w| <= pi they differ most at w = pi, by g(pi) at most (the first alias
    equals the signal there, and the normalisation takes the rest). Each of two axes adds that
    much of the image's norm: 8e-14 at 2.5 pixels, 1.4e-2 at 1. What is cut off beyond 12
    severities is 1e-32. Rounding adds some 1e-16 for each of the kernel's up to 300 weights.
    """
    x = image(height, width, seed)
    expected = gaussian_filter(x, severity, mode="reflect", truncate=12)
    aliasing = 2 * math.exp(-((severity * math.pi) ** 2) / 2)
    error = np.linalg.norm(blurred(x, severity) - expected)
    assert error <= (aliasing + 1e-13) * np.linalg.norm(x)


@pytest.mark.parametrize("severity", [2.5, 3.0, 8.0, 20.0])
def test_from_two_and_a_half_pixels_on_both_blurs_are_the_same(severity):
    x = image(28, 21)
    expected = gaussian_filter(x, severity, mode="reflect", truncate=12)
    error = np.linalg.norm(blurred(x, severity) - expected)
    assert error <= 2e-13 * np.linalg.norm(x)


def test_the_mean_is_kept_and_in_the_limit_alone():
    x = torch.from_numpy(image(7, 10))[None, None] + 3
    for severity in (0.5, 4.0, 1000.0):
        y = sd.GaussianBlur().at(severity)(x)
        assert y.mean().item() == pytest.approx(x.mean().item(), rel=1e-13)
    assert (y - x.mean()).abs().max() <= 1e-13


def test_blurs_add_in_quadrature():
    x = torch.from_numpy(image(9, 12))[None, None]
    blur = sd.GaussianBlur()
    twice = (blur.at(3.0) @ blur.at(4.0))(x)
    assert (twice - blur.at(5.0)(x)).norm() <= 1e-13 * x.norm()
