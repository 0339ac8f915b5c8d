import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn, idctn
from scipy.signal import butter, freqs

import softdiffusion as sd

SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)
SEEDS = st.integers(0, 1000)


def image(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def filtered(x: np.ndarray, gain) -> np.ndarray:
    """Multiplies SciPy's cosine coefficients by a function of the frequency in radians a pixel."""
    axes = np.meshgrid(*(np.pi * np.arange(n) / n for n in x.shape), indexing="ij")
    omega = np.sqrt(sum(axis**2 for axis in axes))
    return idctn(dctn(x, norm="ortho") * gain(omega), norm="ortho")


def apply(corruption: sd.Corruption, severity: float, x: np.ndarray) -> np.ndarray:
    return corruption.at(severity)(torch.from_numpy(x)[None, None])[0, 0].numpy()


@given(SHAPES, SEEDS, st.floats(0, 30))
def test_the_ideal_filter_keeps_waves_that_are_long_enough(shape, seed, severity):
    x = image(shape, seed)
    expected = filtered(x, lambda omega: omega * severity <= 2 * np.pi * (1 + 1e-12))
    y = apply(sd.IdealLowPass(), severity, x)
    assert np.linalg.norm(y - expected) <= 1e-12 * np.linalg.norm(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [7, 28, 37, 53, 64, 113])
def test_a_wave_that_just_fits_stays(n, dtype):
    """The k-th cosine of n pixels is 2 n / k pixels long."""
    z = torch.zeros(1, 1, n, 3, dtype=dtype)
    for k in range(1, n):
        kept = sd.IdealLowPass().at(2 * n / k).diagonal(z)[0, 0, :, 0]
        assert int(kept.sum()) == k + 1


def test_longer_than_every_wave_only_the_mean_is_left():
    x = image((12, 7))
    assert np.allclose(apply(sd.IdealLowPass(), 24.01, x), x.mean(), rtol=0, atol=1e-14)
    assert not np.allclose(apply(sd.IdealLowPass(), 24.0, x), x.mean(), rtol=0, atol=1e-3)


@given(SHAPES, SEEDS, st.floats(0.1, 60), st.integers(1, 6))
def test_the_gain_is_that_of_scipys_analogue_filter(shape, seed, severity, order):
    def gain(omega: np.ndarray) -> np.ndarray:
        b, a = butter(order, 2 * math.pi / severity, analog=True)
        return np.abs(freqs(b, a, omega.ravel())[1]).reshape(omega.shape)

    x = image(shape, seed)
    y = apply(sd.Butterworth(order), severity, x)
    assert np.linalg.norm(y - filtered(x, gain)) <= 1e-11 * np.linalg.norm(x)


def test_a_high_order_is_the_ideal_filter():
    x = image((12, 10))
    steep = apply(sd.Butterworth(2000.0), 7.0, x)
    assert np.allclose(steep, apply(sd.IdealLowPass(), 7.0, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_hundredth_is_left_at_the_severity_of_the_documentation(order):
    z = torch.zeros(1, 1, 5, 9, dtype=torch.float64)
    gain = sd.Butterworth(order).at(2 * 9 * 100 ** (1 / order)).diagonal(z)
    assert gain[0, 0, 0, 0] == 1
    assert float(gain[0, 0, 0, 1]) == pytest.approx(1 / math.hypot(1, 100), rel=1e-12)


@pytest.mark.parametrize("order", [0.5, -1.0, math.inf])
def test_an_order_out_of_range_is_refused(order):
    with pytest.raises(ValueError, match="order of a Butterworth filter must be finite and >= 1"):
        sd.Butterworth(order)


@given(SHAPES, SEEDS, st.floats(0, 8))
def test_the_power_law_is_a_power_of_the_frequency(shape, seed, severity):
    x = image(shape, seed)
    slowest = np.pi / max(shape)
    expected = filtered(x, lambda omega: (1 + omega / slowest) ** -severity)
    y = apply(sd.PowerLaw(), severity, x)
    assert np.linalg.norm(y - expected) <= 1e-12 * np.linalg.norm(x)


@given(st.floats(0, 5), st.floats(0, 5))
def test_exponents_add(a, b):
    x = torch.from_numpy(image((5, 6)))[None, None]
    law = sd.PowerLaw()
    assert ((law.at(a) @ law.at(b))(x) - law.at(a + b)(x)).norm() <= 1e-13 * x.norm()


@pytest.mark.parametrize("corruption", [sd.Butterworth(), sd.PowerLaw()])
def test_severity_0_has_a_derivative(corruption):
    severity = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    corruption.at(severity)(torch.from_numpy(image((2, 1, 5, 6)))).square().sum().backward()
    assert severity.grad.isfinite().all()
