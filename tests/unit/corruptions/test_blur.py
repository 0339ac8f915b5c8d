import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import fourier_gaussian, gaussian_filter

import softdiffusion as sd
from softdiffusion.operators import DCT, Hartley

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


@given(SIDES, SIDES, SEEDS, st.floats(0, 400))
def test_heat_is_a_blur_whose_variance_is_twice_the_time(height, width, seed, time):
    x = torch.from_numpy(image(height, width, seed))[None, None]
    expected = sd.GaussianBlur().at(math.sqrt(2 * time))(x)
    assert (sd.HeatKernel().at(time)(x) - expected).norm() <= 1e-13 * x.norm()


@given(SIDES, SIDES, SEEDS, st.floats(0, 400))
def test_heat_is_scipys_gaussian_of_the_mirrored_image(height, width, seed, time):
    x = image(height, width, seed)
    mirrored = np.block([[x, x[:, ::-1]], [x[::-1], x[::-1, ::-1]]])
    spectrum = fourier_gaussian(np.fft.fft2(mirrored), math.sqrt(2 * time))
    expected = np.fft.ifft2(spectrum).real[:height, :width]
    y = sd.HeatKernel().at(time)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    assert np.linalg.norm(y - expected) <= 1e-10 * np.linalg.norm(x)


def test_half_the_squared_side_as_time_leaves_a_hundredth_of_the_slowest_wave():
    wave = torch.cos(math.pi / 30 * (torch.arange(30, dtype=torch.float64) + 0.5))[None, None]
    for operator in (sd.HeatKernel().at(450.0), sd.GaussianBlur().at(30.0)):
        left = float(operator(wave).norm() / wave.norm())
        assert left == pytest.approx(math.exp(-(math.pi**2) / 2), rel=1e-10)


@pytest.mark.parametrize("angle, sigma", [(0, (1.2, 4)), (90, (4, 1.2)), (-180, (1.2, 4))])
def test_along_the_axes_the_anisotropic_blur_is_scipys_of_the_mirrored_image(angle, sigma):
    x = image(11, 14)
    mirrored = np.block([[x, x[:, ::-1]], [x[::-1], x[::-1, ::-1]]])
    expected = np.fft.ifft2(fourier_gaussian(np.fft.fft2(mirrored), sigma)).real[:11, :14]
    y = sd.AnisotropicBlur(0.3, angle).at(4.0)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    assert np.linalg.norm(y - expected) <= 1e-10 * np.linalg.norm(x)


@given(st.integers(2, 20), st.integers(2, 20), SEEDS, st.floats(1, 89), st.floats(5, 8))
def test_at_an_angle_it_is_a_rotated_kernel_around_the_torus(height, width, seed, angle, std):
    """A kernel sampled at every pixel; at 2.5 pixels across, its aliases are below 1e-13."""
    reach = np.arange(-100, 101)
    rows, columns = np.meshgrid(reach, reach, indexing="ij")
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    lengthwise, across = c * columns - s * rows, s * columns + c * rows
    kernel = np.exp(-0.5 * (lengthwise**2 / std**2 + across**2 / (0.5 * std) ** 2))
    folded = np.zeros((height, width))
    np.add.at(folded, (rows % height, columns % width), kernel / kernel.sum())
    x = image(height, width, seed)
    expected = np.fft.ifft2(np.fft.fft2(folded) * np.fft.fft2(x)).real
    y = sd.AnisotropicBlur(0.5, angle).at(std)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    assert np.linalg.norm(y - expected) <= 1e-12 * np.linalg.norm(x)


@pytest.mark.parametrize("angle, transform", [(0, DCT()), (-90, DCT()), (45, Hartley())])
def test_the_transform_is_that_of_the_border(angle, transform):
    assert sd.AnisotropicBlur(0.5, angle).transform == transform


@pytest.mark.parametrize("shape", [(6, 9), (5, 6, 4)])
def test_the_ratio_1_is_the_round_blur_of_the_periodic_image(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    expected = np.fft.ifftn(fourier_gaussian(np.fft.fftn(x), 1.3)).real
    y = sd.AnisotropicBlur(1.0, 33.0).at(1.3)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    assert np.linalg.norm(y - expected) <= 1e-12 * np.linalg.norm(x)


def test_angles_count_counter_clockwise():
    point = torch.zeros(1, 1, 15, 15)
    point[..., 7, 7] = 1
    y = sd.AnisotropicBlur(0.2, 45.0).at(3.0)(point)[0, 0]
    assert y[5, 9] > 10 * y[5, 5].abs()  # rows count downwards: the upper right, the upper left


def test_lines_have_one_direction():
    with pytest.raises(ValueError, match="Lines have no direction at 45 degrees; give them the an"):
        sd.AnisotropicBlur(0.2, 45.0).at(1.0)(torch.zeros(1, 1, 8))


@pytest.mark.parametrize("ratio, angle", [(1.1, 0.0), (-0.1, 0.0), (0.5, math.inf)])
def test_ratios_and_angles_out_of_range_are_refused(ratio, angle):
    with pytest.raises(ValueError, match="of an anisotropic blur must be in"):
        sd.AnisotropicBlur(ratio, angle)
