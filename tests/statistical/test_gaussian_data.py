"""How fast the samplers approach the distribution of Gaussian data, without sampling noise.

With the exact denoiser every step is linear and diagonal in the DCT, so the variance of every mode
after a whole chain is known in closed form: an image whose coefficients are all 1 shows the gain
of a step on the state, and as noise its gain on the noise.
"""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.operators import DCT

SHAPE = (1, 28, 28)
FIRST_ORDER = ["Momentum", "Bridge", "Ancestral", "Deterministic", "ProbabilityFlow"]
SECOND_ORDER = ["Heun", "Karras", "Multistep"]
DETERMINISTIC = ["Deterministic", "ProbabilityFlow", *SECOND_ORDER]
STEPS = (100, 300, 1000)

forward, inverse = DCT().forward, DCT().inverse
process = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.geometric((0.2, 20.0), (0.02, 0.2)))


def natural_spectrum() -> Tensor:
    """Variances that fall with the square of the frequency; the pixels' mean std is 0.5."""
    k = torch.arange(28, dtype=torch.float64)
    v = 1 / (1 + k[:, None] ** 2 + k**2)
    return (0.25 * v / v.mean()).expand(SHAPE)


DATA = natural_spectrum()
ONES = inverse(torch.ones(1, *SHAPE, dtype=torch.float64))
denoiser = sd.GaussianDenoiser(process, torch.zeros(SHAPE, dtype=torch.float64), DATA)


def variance_of_q(t: float) -> Tensor:
    return process.spectrum(t, DATA[None])[0] ** 2 * DATA + process.sigma(t) ** 2


def sampled_variance(sampler: sd.Sampler) -> Tensor:
    """The variance of every mode of what the sampler returns, started from q."""
    variance = variance_of_q(1.0)
    if type(sampler).__name__.removesuffix("Sampler") in DETERMINISTIC:
        return forward(sampler(inverse(variance.sqrt()[None])))[0] ** 2
    for t, s in pairwise(sampler.grid):
        x = torch.cat([ONES, 0 * ONES])
        noise = x.flip(0)
        gains = forward(
            sampler.step(x, sampler.predict(x, t), process.transition(t, s), lambda eta=noise: eta)
        )
        variance = gains[0] ** 2 * variance + gains[1] ** 2
    if sampler.final == "sigma_min":
        return variance
    return forward(sampler.predict(ONES, sampler.grid[-1]))[0] ** 2 * variance


def relative_distance(variance: Tensor, reference: Tensor) -> float:
    """The Wasserstein-2 distance of two centred Gaussians over the norm of the second."""
    difference = variance.sqrt() - reference.sqrt()
    return float((difference.square().sum() / reference.sum()).sqrt())


@cache
def error_at_the_last_level(name: str, steps: int) -> float:
    sampler = getattr(sd, f"{name}Sampler")(process, denoiser, steps=steps, final="sigma_min")
    return relative_distance(sampled_variance(sampler), variance_of_q(0.0))


def distance_to_the_data(name: str, calls: int) -> float:
    sampler = getattr(sd, f"{name}Sampler")(process, denoiser, steps=calls)
    assert sampler.nfe == calls
    return relative_distance(sampled_variance(sampler), DATA)


def slope(name: str) -> float:
    errors = [error_at_the_last_level(name, steps) for steps in STEPS]
    return -float(np.polyfit(np.log(STEPS), np.log(errors), 1)[0])


def test_the_variance_of_a_chain_is_that_of_its_steps():
    """The stepwise rule against whole runs, one for the start and one for every noise drawn."""
    steps = 4
    sampler = sd.BridgeSampler(process, denoiser, steps=steps, final="sigma_min")
    total = forward(_run(sampler, ONES, [0 * ONES] * steps))[0] ** 2 * variance_of_q(1.0)
    for place in range(steps):
        noises = [ONES if i == place else 0 * ONES for i in range(steps)]
        total = total + forward(_run(sampler, 0 * ONES, noises))[0] ** 2
    torch.testing.assert_close(total, sampled_variance(sampler), rtol=1e-9, atol=0)


def _run(sampler: sd.Sampler, x: Tensor, noises: list[Tensor]) -> Tensor:
    for (t, s), eta in zip(pairwise(sampler.grid), noises, strict=True):
        x0_hat = sampler.predict(x, t)
        x = sampler.step(x, x0_hat, process.transition(t, s), lambda eta=eta: eta)
    return x


def test_naive_keeps_its_bias_however_many_steps_it_takes():
    errors = [error_at_the_last_level("Naive", steps) for steps in STEPS]
    assert min(errors) > 0.25
    assert abs(slope("Naive")) < 0.05


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_first_order(name: str):
    assert slope(name) == pytest.approx(1, abs=0.1)
    assert error_at_the_last_level(name, 1000) < 0.01


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_second_order(name: str):
    assert slope(name) == pytest.approx(2, abs=0.15)
    assert error_at_the_last_level(name, 1000) < 1e-4


def test_multistep_with_20_calls_is_as_close_to_the_data_as_momentum_with_100():
    assert distance_to_the_data("Multistep", 20) <= distance_to_the_data("Momentum", 100)


@pytest.mark.parametrize("calls", [10, 20, 50])
def test_at_equal_calls_second_order_pays(calls: int):
    multistep = distance_to_the_data("Multistep", calls)
    assert multistep < 0.55 * distance_to_the_data("Deterministic", calls)
