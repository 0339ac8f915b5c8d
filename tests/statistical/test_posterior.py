"""Samples of p(x_0 | y) of Gaussian data against the closed form, for operators of all kinds.

With the exact denoiser every step of a sampler is affine, so that the mean and the covariance of
what it returns follow from the images of a basis, without sampling noise: what is left is the
error of the steps. Then `restore` itself draws, and its samples keep within their Monte-Carlo
error.
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.operators import DCT, Diagonal, LinearOperator, Matrix
from softdiffusion.restoration import posterior_start, wiener

SHAPE = (1, 5, 6)
N = 30
SIGMA_Y = 0.1
#: The first level is far below the noise in y, so that leaving it out changes nothing.
SCHEDULE = sd.schedules.geometric((0.02, 6.0), (0.005, 0.3))
PROCESS = sd.SoftDiffusion(sd.GaussianBlur(), SCHEDULE)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def natural_spectrum() -> Tensor:
    i, j = (torch.arange(n, dtype=torch.float64) for n in SHAPE[1:])
    return (2 / (1 + i[:, None] ** 2 + j**2))[None]


LINEAR = sd.GaussianDenoiser(PROCESS, 0.3 * normal(*SHAPE), natural_spectrum())
BASIS = LINEAR.transform.inverse(torch.eye(N).double().reshape(N, *SHAPE)).flatten(1).T
V = BASIS * LINEAR.spectrum.flatten() @ BASIS.T
OPERATORS: dict[str, LinearOperator] = {
    "blur": sd.GaussianBlur().at(1.5),
    "mask": sd.FadingMask().at(1.5),
    "projection": Matrix(normal(9, N, seed=1) / N**0.5, SHAPE, (1, 3, 3)),
    "half of the DCT": Diagonal(DCT(), lambda z: (normal(1, *SHAPE, seed=2) > 0).to(z)),
}


@cache
def measured(name: str) -> Tensor:
    A = OPERATORS[name]
    x0 = LINEAR.mean + LINEAR.transform.inverse(LINEAR.spectrum.sqrt() * normal(1, *SHAPE, seed=3))
    y = A(x0)
    return y + SIGMA_Y * normal(*y.shape, seed=4)


@cache
def posterior(name: str) -> tuple[Tensor, Tensor]:
    """Mean and covariance of p(x_0 | y), by dense linear algebra."""
    M = OPERATORS[name].to_matrix(SHAPE)[0]
    m = LINEAR.mean.flatten()
    gain = torch.linalg.solve(M @ V @ M.T + SIGMA_Y**2 * torch.eye(len(M)), M @ V).T
    return m + gain @ (measured(name).flatten() - M @ m), V - gain @ M @ V


def denoiser(name: str) -> sd.BaseDenoiser:
    A = OPERATORS[name]
    return sd.PosteriorDenoiser(LINEAR, A, measured(name), SIGMA_Y, LINEAR.spectrum)


def affine(function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Offset and matrix of a function of images that is affine."""
    units = torch.cat([torch.zeros(1, N), torch.eye(N)]).double().reshape(-1, *SHAPE)
    offset, *columns = function(units).flatten(1)
    return offset, torch.stack(columns, dim=1) - offset[:, None]


def hop_of(sampler: sd.Sampler, t: float, s: float) -> tuple[tuple[Tensor, Tensor], ...]:
    """What a step of one step's memory does to the state, and to the noise."""
    hop = PROCESS.transition(t, s)
    blank = torch.zeros(N + 1, *SHAPE, dtype=torch.float64)
    return (
        affine(lambda x: sampler.step(x, sampler.predict(x, t), hop, lambda: blank)),
        affine(lambda eta: sampler.step(blank, blank, hop, lambda: eta)),
    )


def sampled(sampler: sd.Sampler, name: str) -> tuple[Tensor, Tensor]:
    """Mean and covariance of what a sampler of one step's memory returns, started at p(x_1 | y)."""
    mean, covariance = posterior(name)
    C = PROCESS.operator(1.0).to_matrix(SHAPE)[0]
    mean = C @ mean
    covariance = C @ covariance @ C.T + PROCESS.sigma(1.0) ** 2 * torch.eye(N).double()
    for t, s in pairwise(sampler.grid):
        (offset, A), (_, B) = hop_of(sampler, t, s)
        mean, covariance = offset + A @ mean, A @ covariance @ A.T + B @ B.T
    offset, A = affine(lambda x: sampler.predict(x, sampler.grid[-1]))
    return offset + A @ mean, A @ covariance @ A.T


def distance(found: tuple[Tensor, Tensor], name: str) -> float:
    """Of the means and of the standard deviations by pixel, relative to the latter."""
    mean, covariance = posterior(name)
    std = covariance.diag().sqrt()
    off = (found[0] - mean).square() + (found[1].diag().sqrt() - std).square()
    return float((off.sum() / std.square().sum()).sqrt())


CASES = [(kind, name) for name in OPERATORS for kind in (sd.DeterministicSampler, sd.BridgeSampler)]
CASES += [(sd.MomentumSampler, "mask"), (sd.AncestralSampler, "mask")]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_samplers_approach_the_posterior_as_steps_are_added(kind, name):
    """Of first order: four times the steps leave a quarter of the error, up to the next order."""
    few, many = (
        distance(sampled(kind(PROCESS, denoiser(name), steps=steps), name), name)
        for steps in (12, 48)
    )
    assert few < 0.5
    assert many < few / 3


def test_naive_does_not():
    few, many = (
        distance(sampled(sd.NaiveSampler(PROCESS, denoiser("mask"), steps=steps), "mask"), "mask")
        for steps in (12, 48)
    )
    assert few > many > 0.25


@pytest.mark.parametrize("name", OPERATORS)
def test_starts_follow_the_closed_form(name):
    count = 4000
    y = measured(name).expand(count, *measured(name).shape[1:])
    source = torch.Generator().manual_seed(0)
    x1 = posterior_start(LINEAR, OPERATORS[name], y, SIGMA_Y, source).flatten(1)
    mean, covariance = posterior(name)
    C = PROCESS.operator(1.0).to_matrix(SHAPE)[0]
    expected = C @ covariance @ C.T + PROCESS.sigma(1.0) ** 2 * torch.eye(N).double()
    _check(x1, C @ mean, expected)


@pytest.mark.parametrize("name", OPERATORS)
def test_restored_images_are_samples_of_the_posterior(name):
    """Multistep with 40 steps: its error of 0.1 % is far below that of 1,000 samples, 3 %."""
    mean, covariance = posterior(name)
    found = sd.restore(
        LINEAR,
        measured(name),
        operator=OPERATORS[name],
        sigma_y=SIGMA_Y,
        data=_with_moments(LINEAR),
        sampler=partial(sd.MultistepSampler, steps=40),
        samples=1000,
        generator=torch.Generator().manual_seed(1),
    )
    _check(found.samples[:, 0].flatten(1), mean, covariance)
    assert torch.allclose(
        wiener(LINEAR, OPERATORS[name], measured(name), SIGMA_Y).flatten(), mean, atol=1e-4
    )


def conditional(sampler: sd.Sampler) -> tuple[Tensor, Tensor, Tensor]:
    """Offset and gain on the start, and covariance given it, of what a sampler returns."""
    offset, gain = torch.zeros(N).double(), torch.eye(N).double()
    covariance = torch.zeros_like(gain)
    for t, s in pairwise(sampler.grid):
        (a, A), (_, B) = hop_of(sampler, t, s)
        offset, gain, covariance = a + A @ offset, A @ gain, A @ covariance @ A.T + B @ B.T
    a, A = affine(lambda x: sampler.predict(x, sampler.grid[-1]))
    return a + A @ offset, A @ gain, A @ covariance @ A.T


def given_the_state(t: float) -> tuple[Tensor, Tensor, Tensor]:
    """Offset, gain and covariance of p(x_0 | x_t)."""
    offset, gain = affine(lambda x: LINEAR(x, torch.tensor(t, dtype=torch.float64)))
    return offset, gain, V - gain @ PROCESS.operator(t).to_matrix(SHAPE)[0] @ V


def test_the_ancestral_sampler_draws_from_the_posterior_of_one_image():
    """Its mean is exact at any number of steps; its variance at first order."""
    offset, gain, covariance = given_the_state(0.6)
    missing = []
    for steps in (30, 120):
        times = torch.linspace(0.6, 0, steps, dtype=torch.float64).tolist()
        found = conditional(sd.AncestralSampler(PROCESS, LINEAR, times=times))
        torch.testing.assert_close(found[0], offset, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(found[1], gain, rtol=1e-6, atol=1e-9)
        missing.append(1 - float(found[2].trace() / covariance.trace()))
    assert 0 < missing[1] < missing[0] / 3


def test_the_bridge_does_not():
    """It has the right marginals only over all images: what blur has removed is not random."""
    times = torch.linspace(0.6, 0, 120, dtype=torch.float64).tolist()
    _, gain, covariance = conditional(sd.BridgeSampler(PROCESS, LINEAR, times=times))
    assert covariance.trace() < 0.5 * given_the_state(0.6)[2].trace()
    assert (gain - given_the_state(0.6)[1]).norm() > 0.2 * gain.norm()


@pytest.mark.filterwarnings("ignore:.*that is raised to:UserWarning")  # as it should be here
def test_images_of_the_process_are_restored_from_their_own_level():
    """Given y with less noise than its level, the mean is that given y with what is added."""
    severity, sigma = SCHEDULE(torch.tensor(0.6, dtype=torch.float64))
    sigma_y = 0.5 * float(sigma)
    y = PROCESS.operator(0.6)(LINEAR.mean[None]) + sigma * normal(1, *SHAPE, seed=5)
    found = sd.restore(
        LINEAR,
        y,
        severity=severity,
        sigma_y=sigma_y,
        samples=1000,
        generator=torch.Generator().manual_seed(2),
    )
    assert found.t.item() == pytest.approx(0.6, abs=1e-5)
    assert found.severity.item() == pytest.approx(float(severity))
    offset, gain, covariance = given_the_state(0.6)
    covariance = covariance + (sigma**2 - sigma_y**2) * gain @ gain.T
    error = found.mean.flatten() - offset - gain @ y.flatten()
    directions = torch.linalg.eigh(covariance)
    z = (error @ directions.eigenvectors) / (directions.eigenvalues / 1000).sqrt()
    assert z.abs().max() < 4.5


def _check(samples: Tensor, mean: Tensor, covariance: Tensor) -> None:
    """Mean and variance along fixed directions, each within 4.5 standard errors."""
    count = len(samples)
    directions = torch.linalg.eigh(covariance).eigenvectors
    variance = torch.einsum("ik,ij,jk->k", directions, covariance, directions)
    along = (samples - mean) @ directions
    z = along.mean(dim=0) / (variance / count).sqrt()
    chi = (along.square().mean(dim=0) / variance - 1) / (2 / count) ** 0.5
    assert z.abs().max() < 4.5
    assert chi.abs().max() < 4.5


def _with_moments(linear: sd.GaussianDenoiser) -> Tensor:
    """Images whose mean and spectrum are exactly those given: pairs about the mean, by mode."""
    z = torch.diag(linear.spectrum.flatten().sqrt() * N**0.5).reshape(N, *SHAPE)
    x = linear.transform.inverse(z)
    return linear.mean + torch.cat([x, -x])
