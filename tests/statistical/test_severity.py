"""Severity and noise of held-out images, both unknown: the intervals hold what they say."""

import pytest
import torch
from scipy.stats import binom
from torch import Tensor

import softdiffusion as sd
from softdiffusion.restoration import SeverityEstimator

PROCESS = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.geometric((0.2, 8.0), (0.02, 0.2)))

#: The share of wrong alarms of a bound, and the bound on how many of n are held by 95 %.
CHANCE = 1e-4


def held(low: Tensor, high: Tensor, value: Tensor) -> int:
    return int(((low <= value) & (value <= high)).sum())


@pytest.fixture(scope="module")
def estimator(digits) -> SeverityEstimator:
    return SeverityEstimator.fit(sd.GaussianDenoiser.fit(PROCESS, digits), digits, None)


@pytest.mark.parametrize("sigma_y", [0.0023, 0.02, 0.06, 0.2, 0.5])
def test_the_intervals_hold_95_percent_at_every_noise(sigma_y, estimator):
    x0 = sd.data.load("digits", split="test").double()
    source = torch.Generator().manual_seed(3)
    severity = PROCESS.schedule.severity(torch.rand(len(x0), generator=source).double())
    noise = torch.randn(x0.shape, generator=source).double()
    y = PROCESS.corruption.at(severity)(x0) + sigma_y * noise
    found, level = estimator.with_noise(y)
    fewest = binom.ppf(CHANCE, len(x0), 0.95)
    assert held(found.low, found.high, severity) >= fewest
    assert held(level.low, level.high, torch.tensor(sigma_y)) >= fewest


@pytest.mark.parametrize("stated", [0.0023, 0.2])
def test_a_wrong_noise_makes_no_estimate_sure_of_a_wrong_severity(stated, digits):
    """Where the images contradict it, the severity is estimated by what they show."""
    x0 = sd.data.load("digits", split="test")[:100].double()
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(4)).double()
    y = PROCESS.corruption.at(1.5)(x0) + 0.04 * noise
    plan = sd.restoration.make_plan(
        sd.GaussianDenoiser.fit(PROCESS, digits), y, sigma_y=stated, data=digits, route="operator"
    )
    assert held(plan.estimate.low, plan.estimate.high, torch.tensor(1.5)) >= binom.ppf(
        CHANCE, len(y), 0.95
    )
    assert any("another noise than sigma_y" in sentence for sentence in plan.warnings)
