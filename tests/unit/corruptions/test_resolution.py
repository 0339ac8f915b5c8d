import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

import softdiffusion as sd

SIDES = st.integers(1, 24)
SEEDS = st.integers(0, 1000)


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def corrupted(corruption: sd.Corruption, severity: float, x: np.ndarray) -> np.ndarray:
    return corruption.at(severity)(torch.from_numpy(x)[None, None])[0, 0].numpy()


def block_means(x: np.ndarray, size: int) -> np.ndarray:
    """Every pixel becomes the mean of its block; blocks at the far borders may be smaller."""
    y = np.empty_like(x)
    for top in range(0, x.shape[0], size):
        for left in range(0, x.shape[1], size):
            block = np.s_[top : top + size, left : left + size]
            y[block] = x[block].mean()
    return y


@given(SIDES, SIDES, st.integers(0, 6), SEEDS)
def test_whole_severities_are_block_averages(height, width, level, seed):
    x = image(height, width, seed=seed)
    y = corrupted(sd.Pixelate(), level, x)
    assert np.abs(y - block_means(x, 2**level)).max() <= 1e-13


@given(st.integers(1, 24), st.integers(0, 4), st.floats(0, 1))
def test_between_levels_a_line_fades_linearly(n, level, share):
    x = image(n, 1)
    y = corrupted(sd.Pixelate(), level + share, x)
    ends = (1 - share) * block_means(x, 2**level) + share * block_means(x, 2 ** (level + 1))
    assert np.abs(y - ends).max() <= 1e-12


def test_volumes_are_averaged_in_cubes():
    x = image(4, 6, 2)
    cubes = x.reshape(2, 2, 3, 2, 1, 2).mean(axis=(1, 3, 5))
    expected = cubes.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    assert np.abs(corrupted(sd.Pixelate(), 1.0, x) - expected).max() <= 1e-14


@pytest.mark.parametrize("corruption", [sd.Pixelate(), sd.Downsample()])
@pytest.mark.parametrize("shape", [(37,), (16, 5), (28, 28), (3, 8, 5)])
def test_at_last_the_mean_is_left_alone(corruption, shape):
    """From ceil(log2 n) on, with the longest side n."""
    x = image(*shape) + 3
    y = corrupted(corruption, math.ceil(math.log2(max(shape))), x)
    assert np.abs(y - x.mean()).max() <= 1e-12


@given(SIDES, SIDES, st.floats(0, 6), SEEDS)
def test_downsampling_is_a_hann_window_on_scipys_dct(height, width, severity, seed):
    x = image(height, width, seed=seed)
    factor = 2**severity
    weights = []
    for n in (height, width):
        position = np.pi * np.arange(n) / n
        low, high = np.pi / factor**2, np.pi / factor
        window = np.interp(position, [low, max(high, low + 1e-9)], [0, 1])
        weights.append(0.5 + 0.5 * np.cos(np.pi * window))
    expected = idctn(np.multiply.outer(*weights) * dctn(x, norm="ortho"), norm="ortho")
    error = corrupted(sd.Downsample(), severity, x) - expected
    assert np.linalg.norm(error) <= 1e-10 * np.linalg.norm(x)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_small_image_holds_all_that_is_left(factor):
    """Taken down to n / f pixels and back by cutting and padding its DCT, nothing changes."""
    y = corrupted(sd.Downsample(), math.log2(factor), image(16, 24))
    z = dctn(y, norm="ortho")
    small = idctn(z[: 16 // factor, : 24 // factor], norm="ortho") / factor
    padded = np.zeros_like(z)
    padded[: 16 // factor, : 24 // factor] = dctn(small * factor, norm="ortho")
    assert np.abs(idctn(padded, norm="ortho") - y).max() <= 1e-14


@pytest.mark.parametrize("corruption", [sd.Pixelate(), sd.Downsample()])
def test_severity_0_has_a_derivative(corruption):
    """A loss on the drift may meet the time 0."""
    severity = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    corruption.at(severity)(torch.from_numpy(image(1, 6, 5)).expand(2, -1, -1, -1)).sum().backward()
    assert torch.isfinite(severity.grad).all()
