"""Averages by powers of time, and the combinations of those that were kept."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from torch import nn

import softdiffusion as sd
from softdiffusion.denoisers.power_ema import LONGEST, PowerEMA, combination, gamma_of, length_of
from tests.registry import process

LENGTHS = st.floats(0.001, LONGEST)


class Path(nn.Module):
    """A backbone whose weight is wherever a path has come."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x, t):
        return self.weight * x


def follow(path: np.ndarray, length: float, every: int = 10**9) -> dict[int, float]:
    """The average of a path, after every so many steps and at the end."""
    denoiser = sd.Denoiser(Path(), process())
    average = PowerEMA(denoiser, length)
    kept = {}
    for step, value in enumerate(path, 1):
        with torch.no_grad():
            denoiser.backbone.weight.fill_(float(value))
            denoiser.backbone.count.fill_(step)
        average.update(denoiser)
        assert average.denoiser.backbone.count == step
        if step % every == 0 or step == len(path):
            kept[step] = float(average.denoiser.backbone.weight)
    return kept


@given(LENGTHS)
def test_length_and_exponent_belong_together(length):
    gamma = gamma_of(length)
    assert gamma >= 0
    assert math.isclose(length_of(gamma), length, rel_tol=1e-9)


@pytest.mark.parametrize("length", [0.01, 0.05, 0.1, 0.2, LONGEST])
def test_the_length_is_the_standard_deviation_of_the_profile(length):
    gamma = gamma_of(length)

    def moment(power):
        return quad(lambda u: u**power * (gamma + 1) * u**gamma, 0, 1)[0]

    assert math.isclose(math.sqrt(moment(2) - moment(1) ** 2), length, rel_tol=1e-6)


@pytest.mark.parametrize("length", [0.02, 0.1, LONGEST])
def test_every_step_has_the_share_of_its_interval(length):
    """The average of a path that is one at a single step is the share of that step."""
    steps, g = 12, gamma_of(length) + 1
    for step in range(1, steps + 1):
        share = (step**g - (step - 1) ** g) / steps**g
        (found,) = follow(np.eye(steps)[step - 1], length).values()
        assert math.isclose(found, share, rel_tol=1e-9, abs_tol=1e-15)  # all add up to 1


def test_the_longest_is_the_plain_mean():
    path = np.random.default_rng(0).normal(size=50)
    assert math.isclose(follow(path, LONGEST)[50], path.mean(), rel_tol=1e-9)


@pytest.mark.parametrize("length", [0.03, 0.075, 0.15])
@pytest.mark.parametrize("images", [300, 400])
def test_a_combination_is_the_average_within_its_residual(length, images):
    """Cauchy and Schwarz: the error is at most the product of two norms, whatever the path."""
    rng = np.random.default_rng(1)
    kept = [(one, at) for one in (0.05, 0.1) for at in range(20, images + 1, 20)]
    weights, residual = combination(kept, length, images)
    assert math.isclose(weights.sum(), 1, rel_tol=1e-9)
    gamma = gamma_of(length)
    norm = (gamma + 1) / math.sqrt((2 * gamma + 1) * images)
    for _ in range(3):
        path = 5 + rng.normal(size=400).cumsum()
        tracked = {one: follow(path, one, every=20) for one in (0.05, 0.1)}
        found = sum(w * tracked[one][at] for w, (one, at) in zip(weights, kept, strict=True))
        expected = follow(path[:images], length)[images]
        spread = math.sqrt(np.square(path[:images] - path[:images].mean()).sum())
        assert abs(found - expected) <= residual * norm * spread


def test_what_was_kept_itself_is_met_exactly():
    kept = [(one, at) for one in (0.05, 0.1) for at in (100, 200, 300)]
    weights, residual = combination(kept, 0.1, 200)
    assert np.allclose(weights, [0, 0, 0, 0, 1, 0], atol=1e-9)
    assert residual < 1e-7


def test_more_averages_never_fit_worse():
    residuals = []
    for n in (1, 2, 4, 8, 16):
        kept = [(one, at) for one in (0.05, 0.1) for at in range(1_600 // n, 1_601, 1_600 // n)]
        residuals.append(combination(kept, 0.08, 1_600)[1])
    assert residuals == sorted(residuals, reverse=True)


@pytest.mark.parametrize("length", [0.0, 0.0009, 0.2888, math.nan])
def test_a_length_that_none_has_is_refused(length):
    with pytest.raises(ValueError, match="must be in .*0.001, 0.2887"):
        gamma_of(length)


def test_it_is_a_denoiser_that_nothing_trains():
    denoiser = sd.Denoiser(Path(), process()).half()
    average = PowerEMA(denoiser, 0.1)
    assert not any(weight.requires_grad for weight in average.parameters())
    assert {weight.dtype for weight in average.parameters()} == {torch.float32}
    average.update(denoiser)
    x = torch.ones(2, 1, 4, 4)
    assert torch.equal(average(x, torch.tensor(0.5)), denoiser.float()(x, torch.tensor(0.5)))
