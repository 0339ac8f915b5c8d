"""The samplers of second order, written out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.schedules import Constant, Linear, geometric, linear

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


@pytest.mark.parametrize("build", [growing, constant])
def test_multistep_extrapolates_by_the_ratio_of_the_steps(build):
    process = build()
    denoiser = gaussian(process)
    times = [0.9, 0.7, 0.6, 0.2]
    x = normal(3, *SHAPE, seed=1)
    images = sd.MultistepSampler(process, denoiser, times=times, final="sigma_min")(x)

    first = denoiser(x, moment(0.9))
    x = deterministic(process, x, first, 0.9, 0.7)
    second = denoiser(x, moment(0.7))
    x = deterministic(process, x, second + 0.5 / 2 * (second - first), 0.7, 0.6)  # h: 0.2, 0.1
    third = denoiser(x, moment(0.6))
    x = deterministic(process, x, third + 4 / 2 * (third - second), 0.6, 0.2)  # h: 0.1, 0.4
    torch.testing.assert_close(images, x)


def along(process: sd.SoftDiffusion, x: Tensor, D: Tensor, g: Tensor, t: float, s: float) -> Tensor:
    """The deterministic step, and what the slope adds by Gauss and Legendre's rule."""
    mean = torch.zeros_like(g)
    for u, weight in zip(*np.polynomial.legendre.leggauss(3), strict=True):
        tau = moment((t + s) / 2 + u * (t - s) / 2)
        ratio = process.sigma(s) / process.sigma(tau)
        mean += weight / 2 * ratio * process.operator(tau)(g)
    return deterministic(process, x, D, t, s) + (t - s) * (process.operator(s)(g) - mean)


class Line(sd.BaseDenoiser):
    """A prediction that is a straight line in time, whatever the state."""

    def __init__(self, process: sd.SoftDiffusion) -> None:
        super().__init__()
        self.process = process

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return normal(3, *SHAPE, seed=2) + t * normal(3, *SHAPE, seed=3)


def without_noise() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.GaussianBlur(), sd.Schedule(Linear(0.0, 2.0), Constant(0.0)))


@pytest.mark.parametrize("build", [growing, constant, without_noise])
def test_adams_knows_when_every_mode_is_revealed(build):
    """On a line two hops are nearly as good as 400, and far better than multistep's middle."""
    process, x = build(), normal(3, *SHAPE, seed=1)

    def run(name: str, times: list[float]) -> Tensor:
        sampler = getattr(sd, f"{name}Sampler")
        return sampler(process, Line(process), times=times, final="sigma_min")(x)

    exact = run("Multistep", torch.linspace(0.7, 0.3, 401, dtype=torch.float64).tolist())
    adams, multistep = (
        (run(name, [0.7, 0.6, 0.5, 0.3]) - exact).norm() for name in ("Adams", "Multistep")
    )
    assert adams < 0.02 * multistep


@pytest.mark.parametrize("build", [growing, constant])
def test_adams_predicts_and_corrects_along_lines(build):
    process = build()
    denoiser = gaussian(process)
    start = normal(3, *SHAPE, seed=1)
    sampler = sd.AdamsSampler(process, denoiser, times=[0.9, 0.7, 0.6, 0.2], final="sigma_min")

    first = denoiser(start, moment(0.9))
    guess = deterministic(process, start, first, 0.9, 0.7)
    second = denoiser(guess, moment(0.7))
    g = (second - first) / 0.2
    corrected = along(process, start, first, g, 0.9, 0.7)
    guess = along(process, corrected, second, g, 0.7, 0.6)
    third = denoiser(guess, moment(0.6))
    g = (third - second) / 0.1
    corrected = along(process, corrected, second, g, 0.7, 0.6)
    torch.testing.assert_close(sampler(start), along(process, corrected, third, g, 0.6, 0.2))


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


@pytest.mark.parametrize(
    "name", ["AdamsSampler", "HeunSampler", "KarrasSampler", "MultistepSampler"]
)
def test_a_sampler_keeps_nothing_between_runs(name):
    process = growing()
    sampler = getattr(sd, name)(process, gaussian(process), steps=5)
    x1 = normal(3, *SHAPE, seed=1)
    first = sampler(x1)
    sampler(normal(2, *SHAPE, seed=2))
    assert torch.equal(sampler(x1), first)
