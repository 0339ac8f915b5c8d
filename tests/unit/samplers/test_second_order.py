"""Heun and multistep, written out by hand."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.schedules import Constant, Curve, Linear, geometric, linear

SHAPE = (1, 6, 5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moment(t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)


def gaussian(process: sd.SoftDiffusion) -> sd.GaussianDenoiser:
    return sd.GaussianDenoiser(process, 0.3 * normal(*SHAPE), 0.1 + normal(*SHAPE) ** 2)


def growing() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.GaussianBlur(), geometric((0.2, 3.0), (0.02, 0.2)))


def constant() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.GaussianBlur(), sd.Schedule(Linear(0.0, 2.0), Constant(0.1)))


def deterministic(process: sd.SoftDiffusion, x: Tensor, D: Tensor, t: float, s: float) -> Tensor:
    rho = process.sigma(s) / process.sigma(t)
    return process.operator(s)(D) + rho * (x - process.operator(t)(D))


class Square(Curve):
    """t^2."""

    def __call__(self, t: Tensor) -> Tensor:
        return t**2


def late() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.Scaling(), sd.Schedule(Square(), Square()))


def flow() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.Scaling(), linear((0, 1), (0, 1)))


@pytest.mark.parametrize(
    ("build", "clock"),
    [
        (growing, lambda t: t),
        (constant, lambda t: t),
        (flow, lambda t: math.log(2 * t)),
        (late, lambda t: math.log(2 * t**2)),
    ],
)
def test_multistep_extrapolates_by_the_ratio_of_the_steps_of_the_clock(build, clock):
    process = build()
    denoiser = gaussian(process)
    times = [0.9, 0.7, 0.6, 0.2]
    x = normal(3, *SHAPE, seed=1)
    images = sd.MultistepSampler(process, denoiser, times=times, final="sigma_min")(x)

    first = denoiser(x, moment(0.9))
    x = deterministic(process, x, first, 0.9, 0.7)
    second = denoiser(x, moment(0.7))
    h = [clock(t) - clock(s) for t, s in pairwise(times)]
    x = deterministic(process, x, second + h[1] / h[0] / 2 * (second - first), 0.7, 0.6)
    third = denoiser(x, moment(0.6))
    x = deterministic(process, x, third + h[2] / h[1] / 2 * (third - second), 0.6, 0.2)
    torch.testing.assert_close(images, x)


def test_multistep_is_of_first_order_where_the_clock_ends_or_stands_still():
    x1 = normal(3, *SHAPE)
    saturated = Linear(0.0, 1.0, saturation=0.5)
    still = sd.SoftDiffusion(sd.Scaling(), sd.Schedule(saturated, saturated))
    for process, times in ((flow(), [0.6, 0.2, 0.0]), (still, [0.9, 0.7, 0.3])):
        start, middle, end = times
        denoiser = gaussian(process)
        images = sd.MultistepSampler(process, denoiser, times=times, final="sigma_min")(x1)
        x = deterministic(process, x1, denoiser(x1, moment(start)), start, middle)
        x = deterministic(process, x, denoiser(x, moment(middle)), middle, end)
        torch.testing.assert_close(images, x)


@pytest.mark.parametrize("build", [growing, constant])
def test_heun_repeats_the_step_with_the_mean_prediction(build):
    process = build()
    denoiser = gaussian(process)
    x = normal(3, *SHAPE, seed=1)
    images = sd.HeunSampler(process, denoiser, times=[0.9, 0.5, 0.2], final="sigma_min")(x)
    for t, s in ((0.9, 0.5), (0.5, 0.2)):
        start = denoiser(x, moment(t))
        end = denoiser(deterministic(process, x, start, t, s), moment(s))
        x = deterministic(process, x, (start + end) / 2, t, s)
    torch.testing.assert_close(images, x)


def test_heun_makes_no_call_where_no_noise_is_left():
    process = sd.SoftDiffusion(sd.Scaling(), linear((0, 1), (0, 1)))

    class Trained(sd.BaseDenoiser):
        """Like a network, unknown at t = 0."""

        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            assert t > 0
            return gaussian(process)(x_t, t)

    x1 = normal(3, *SHAPE)
    for final, calls in (("sigma_min", 2 * 4 - 1), ("x0_hat", 2 * 3 + 1)):
        sampler = sd.HeunSampler(process, Trained(), steps=4, final=final)
        assert sampler(x1).isfinite().all()
        assert sampler.nfe == calls
    assert sd.HeunSampler(growing(), gaussian(growing()), steps=4, final="sigma_min").nfe == 8


@pytest.mark.parametrize("build", [growing, constant])
def test_karras_takes_the_mean_of_the_slopes(build):
    """Of C and of sigma separately: dx = dC x0_hat + dsigma (x - C x0_hat) / sigma."""
    process = build()
    denoiser = gaussian(process)
    x = normal(3, *SHAPE, seed=1)
    images = sd.KarrasSampler(process, denoiser, times=[0.9, 0.5, 0.2], final="sigma_min")(x)
    for t, s in ((0.9, 0.5), (0.5, 0.2)):
        start = denoiser(x, moment(t))
        guess = deterministic(process, x, start, t, s)
        end = denoiser(guess, moment(s))
        noise_t = (x - process.operator(t)(start)) / process.sigma(t)
        noise_s = (guess - process.operator(s)(end)) / process.sigma(s)
        faded = (process.operator(s) - process.operator(t))((start + end) / 2)
        x = x + faded + (process.sigma(s) - process.sigma(t)) * (noise_t + noise_s) / 2
    torch.testing.assert_close(images, x)


@pytest.mark.parametrize("name", ["HeunSampler", "KarrasSampler", "MultistepSampler"])
def test_a_sampler_keeps_nothing_between_runs(name):
    process = growing()
    sampler = getattr(sd, name)(process, gaussian(process), steps=5)
    x1 = normal(3, *SHAPE, seed=1)
    first = sampler(x1)
    sampler(normal(2, *SHAPE, seed=2))
    assert torch.equal(sampler(x1), first)
