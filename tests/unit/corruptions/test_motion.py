import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import fourier_shift, fourier_uniform

import softdiffusion as sd
from softdiffusion.schedules import wasserstein_distance

SIDES = st.integers(1, 16)
SEEDS = st.integers(0, 1000)


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def blurred(x: np.ndarray, length: float, angle: float = 0.0) -> np.ndarray:
    return sd.MotionBlur(angle).at(length)(torch.from_numpy(x)[None, None])[0, 0].numpy()


@given(SIDES, SIDES, SEEDS, st.floats(1e-3, 30))
def test_along_the_rows_it_is_scipys_box_of_any_length(height, width, seed, length):
    """SciPy takes the size 0 for an infinite one, so the other axis gets a billionth."""
    x = image(height, width, seed=seed)
    expected = np.fft.ifft2(fourier_uniform(np.fft.fft2(x), (1e-9, length))).real
    assert np.linalg.norm(blurred(x, length) - expected) <= 1e-12 * np.linalg.norm(x)
    transposed = blurred(x.T, length, 90.0).T
    assert np.linalg.norm(transposed - expected) <= 1e-12 * np.linalg.norm(x)


@given(SIDES, SIDES, SEEDS, st.floats(0, 10), st.floats(-180, 180))
def test_it_is_the_mean_over_the_shifted_images(height, width, seed, length, angle):
    """By Gauss's quadrature, which 40 nodes make exact for waves of up to 10 pi sqrt(2) / 2 rad."""
    x = image(height, width, seed=seed)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    F = np.fft.fft2(x)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    moved = [fourier_shift(F, (-s * u, c * u)) for u in length / 2 * nodes]
    mean = sum(w / 2 * spectrum for w, spectrum in zip(weights, moved, strict=True))
    expected = np.fft.ifft2(mean).real
    assert np.linalg.norm(blurred(x, length, angle) - expected) <= 1e-11 * np.linalg.norm(x)


def test_volumes_move_in_the_plane_of_the_last_axes():
    x = image(3, 6, 5)
    slices = np.stack([blurred(plane, 3.0, 25.0) for plane in x])
    assert np.linalg.norm(blurred(x, 3.0, 25.0) - slices) <= 1e-13 * np.linalg.norm(x)


def test_a_line_around_the_image_leaves_the_mean_of_every_row():
    x = image(5, 12)
    expected = np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)
    assert np.allclose(blurred(x, 12.0), expected, rtol=0, atol=1e-14)


def test_an_odd_length_is_the_mean_of_that_many_pixels_for_slow_waves():
    wave = np.cos(2 * np.pi / 200 * np.arange(200))
    box = np.mean([np.roll(wave, j) for j in range(-2, 3)], axis=0)
    # The mean over pixels is the integral over sin(w / 2) / (w / 2) >= 1 - w^2 / 24.
    assert np.abs(blurred(wave, 5.0) - box).max() <= (2 * np.pi / 200) ** 2 / 24


def test_angles_count_counter_clockwise():
    point = np.zeros((15, 15))
    point[7, 7] = 1
    y = blurred(point, 9.0, 45.0)
    assert y[5, 9] > 10 * abs(y[5, 5])  # rows count downwards: the upper right, the upper left


def test_the_closed_distance_is_refused_where_the_spectrum_changes_sign(digits):
    motion = sd.MotionBlur(30.0)
    assert wasserstein_distance(motion, digits, 0.5, 1.4, method="closed") > 0
    with pytest.raises(ValueError, match="MotionBlur does not meet the condition"):
        wasserstein_distance(motion, digits, 1.0, 5.0, method="closed")


def test_lines_have_one_direction():
    assert sd.MotionBlur().at(2.0)(torch.ones(1, 1, 8)).shape == (1, 1, 8)
    with pytest.raises(ValueError, match="Lines have no direction at 90 degrees"):
        sd.MotionBlur(90.0).at(2.0)(torch.ones(1, 1, 8))
    with pytest.raises(ValueError, match="angle of a motion blur must be in"):
        sd.MotionBlur(361.0)


def test_severity_0_has_a_derivative():
    severity = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    sd.MotionBlur(20.0).at(severity)(torch.from_numpy(image(2, 1, 5, 6))).sum().backward()
    assert severity.grad.tolist() == [0, 0]
