"""The noise levels of DDPM and of Karras et al. against their formulas."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.schedules import DDPMAmplitudeLoss, DDPMNoise, Karras


@given(st.integers(2, 300), st.floats(1e-5, 0.1), st.floats(0, 0.5), st.integers(0, 300))
def test_ddpms_levels(levels: int, start: float, growth: float, k: int):
    k, end = min(k, levels), start + growth
    alpha_bar = np.prod(1 - np.linspace(start, end, levels)[:k])
    t = torch.tensor(k / levels, dtype=torch.float64)
    lost, noise = DDPMAmplitudeLoss(levels, start, end)(t), DDPMNoise(levels, start, end)(t)
    assert float(lost) == pytest.approx(1 - np.sqrt(alpha_bar), rel=1e-9, abs=1e-12)
    assert float(noise) == pytest.approx(np.sqrt(1 - alpha_bar), rel=1e-6, abs=1e-9)


@given(st.floats(0, 1))
def test_the_variance_is_kept_between_the_levels(time: float):
    t = torch.tensor(time, dtype=torch.float64)
    alpha = 1 - DDPMAmplitudeLoss()(t)
    assert float(alpha**2 + DDPMNoise()(t) ** 2) == pytest.approx(1, rel=1e-12)
    below, above = torch.floor(t * 1000) / 1000, torch.ceil(t * 1000) / 1000
    assert 1 - DDPMAmplitudeLoss()(above) <= alpha + 1e-12
    assert alpha <= 1 - DDPMAmplitudeLoss()(below) + 1e-12


@pytest.mark.parametrize("build", [DDPMAmplitudeLoss, DDPMNoise])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0.1, 0.2), "at least 2 levels, not 1"),
        ((9, 0.0, 0.2), "from 0 to 0.2"),
        ((9, 0.3, 0.2), "from 0.3 to 0.2"),
        ((9, 0.3, 1.0), "from 0.3 to 1"),
    ],
)
def test_impossible_variances(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(*arguments)


@given(st.floats(1e-3, 1), st.floats(1, 100), st.floats(0.5, 20), st.integers(2, 40))
def test_karras_levels(low: float, high: float, rho: float, count: int):
    """Eq. 5 counts from the largest level down."""
    i = np.arange(count)
    ends = high ** (1 / rho), low ** (1 / rho)
    expected = (ends[0] + i / (count - 1) * (ends[1] - ends[0])) ** rho
    levels = Karras(low, high, rho)(torch.linspace(1, 0, count, dtype=torch.float64))
    np.testing.assert_allclose(levels, expected, rtol=1e-9)


@pytest.mark.parametrize("arguments", [(0.0, 1.0, 7.0), (2.0, 1.0, 7.0), (0.1, 1.0, 0.0)])
def test_impossible_karras_levels(arguments):
    with pytest.raises(ValueError, match="need 0 < sigma_min"):
        Karras(*arguments)
