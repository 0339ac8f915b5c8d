"""Every row of the samplers' table: mean and variance of x_s given x_t and x0_hat = x_0."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.schedules import Constant, Geometric, Linear
from tests.laws.closeness import assert_close

SHAPE = (1, 3, 4)
N = 12
UNIT = torch.eye(N, dtype=torch.float64)
IMPULSES = UNIT.reshape(N, *SHAPE)
NOTHING = torch.zeros_like(IMPULSES)


class Row(NamedTuple):
    """x_s = C_s x0_hat + A (x_t - C_t x0_hat) + sqrt(v) eta, from rho, sigma_t, sigma_s and M.

    `excess` is by how much the variance of x_s given x_0 exceeds sigma_s^2, if that of x_t given
    x_0 is sigma_t^2.
    """

    A: Callable[[float, float, float, Tensor], Tensor]
    v: Callable[[float, float, float, Tensor], Tensor]
    excess: Callable[[float, float, float], float] = lambda rho, st, ss: 0.0


def probability_flow_excess(rho: float, sigma_t: float, sigma_s: float) -> float:
    return (sigma_s + sigma_t * (1 - rho) ** 2 / 2) ** 2 - sigma_s**2


def momentum_excess(rho: float, sigma_t: float, sigma_s: float) -> float:
    return (sigma_t**2 - sigma_s**2) * (1 - rho**2)  # = (sigma_t^2 - sigma_s^2)^2 / sigma_t^2


ROWS = {
    "Naive": Row(lambda rho, st, ss, M: 0 * UNIT, lambda rho, st, ss, M: ss**2 * UNIT),
    "Momentum": Row(
        lambda rho, st, ss, M: rho**2 * UNIT,
        lambda rho, st, ss, M: (st**2 - ss**2) * UNIT,
        momentum_excess,
    ),
    "Bridge": Row(
        lambda rho, st, ss, M: rho**2 * UNIT,
        lambda rho, st, ss, M: ss**2 * (1 - rho**2) * UNIT,
    ),
    "Ancestral": Row(
        lambda rho, st, ss, M: rho**2 * M.T,
        lambda rho, st, ss, M: ss**2 * (UNIT - rho**2 * M.T @ M),
    ),
    "Deterministic": Row(lambda rho, st, ss, M: rho * UNIT, lambda rho, st, ss, M: 0 * UNIT),
    "Heun": Row(lambda rho, st, ss, M: rho * UNIT, lambda rho, st, ss, M: 0 * UNIT),
    "Karras": Row(lambda rho, st, ss, M: rho * UNIT, lambda rho, st, ss, M: 0 * UNIT),
    "Multistep": Row(lambda rho, st, ss, M: rho * UNIT, lambda rho, st, ss, M: 0 * UNIT),
    "ProbabilityFlow": Row(
        lambda rho, st, ss, M: (1 + rho**2) / 2 * UNIT,
        lambda rho, st, ss, M: 0 * UNIT,
        probability_flow_excess,
    ),
    **{
        f"Nu {nu}": Row(
            lambda rho, st, ss, M, nu=nu: rho * (1 - nu**2 * (1 - rho**2)) ** 0.5 * UNIT,
            lambda rho, st, ss, M, nu=nu: (nu * ss) ** 2 * (1 - rho**2) * UNIT,
        )
        for nu in (0.0, 0.4, 1.0)
    },
}


def symmetric_matrix() -> Tensor:
    """A random symmetric matrix with eigenvalues in [0.2, 0.9]."""
    generator = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(N, N, generator=generator, dtype=torch.float64))
    return basis * torch.linspace(0.2, 0.9, N, dtype=torch.float64) @ basis.T


#: A corruption, and the largest severity at which C_s is far from singular.
CORRUPTIONS = {
    "blur": (sd.GaussianBlur(), 1.2),
    "mask": (sd.FadingMask(), 2.0),
    "scaling": (sd.Scaling(), 0.9),
    "none": (sd.Identity(), 1.0),
    "matrix": (sd.MatrixFamily(symmetric_matrix()), 1.0),
}

SIGMAS = {
    "growing": lambda low, high: Geometric(low, high),
    "growing, then constant": lambda low, high: Geometric(low, high, saturation=0.25),
    "from zero": lambda low, high: Linear(0.0, high),
    "constant": lambda low, high: Constant(high),
    "zero": lambda low, high: Constant(0.0),
}


@st.composite
def hops(draw: st.DrawFn) -> tuple[sd.SoftDiffusion, float, float]:
    corruption, largest = CORRUPTIONS[draw(st.sampled_from(sorted(CORRUPTIONS)))]
    severity = Linear(0.0, draw(st.floats(0.3, 1.0)) * largest)
    low = draw(st.floats(0.01, 0.1))
    sigma = SIGMAS[draw(st.sampled_from(sorted(SIGMAS)))](low, low * draw(st.floats(1.5, 50)))
    process = sd.SoftDiffusion(corruption, sd.Schedule(severity, sigma))
    t = draw(st.floats(0.05, 1.0))
    return process, t, t * draw(st.one_of(st.just(0.0), st.floats(0.0, 0.98)))


def build(name: str, process: sd.SoftDiffusion) -> sd.Sampler:
    """A sampler whose denoiser is not called."""
    denoiser = sd.Denoiser(nn.Identity(), process)
    if name.startswith("Nu "):
        return sd.NuSampler(process, denoiser, nu=float(name.removeprefix("Nu ")))
    return getattr(sd, f"{name}Sampler")(process, denoiser)


def refuse() -> Tensor:
    raise AssertionError("noise was drawn for a step that adds none")


@pytest.mark.parametrize("name", ROWS)
@given(hops(), st.integers(0, 1000))
def test_mean_and_variance_are_those_of_the_table(name: str, case, seed: int):
    process, t, s = case
    sampler = build(name, process)
    hop = process.transition(t, s)
    sigma_t, sigma_s = float(hop.sigma_t), float(hop.sigma_s)
    rho = 1.0 if sigma_t == sigma_s else sigma_s / sigma_t
    C_t, C_s = hop.C_t.to_matrix(SHAPE)[0], hop.C_s.to_matrix(SHAPE)[0]
    stated_A, stated_v, excess = ROWS[name]
    A = stated_A(rho, sigma_t, sigma_s, C_t @ torch.linalg.inv(C_s))
    v = stated_v(rho, sigma_t, sigma_s, C_t @ torch.linalg.inv(C_s))

    # Where the ancestral sampler's noise is zero only M knows, so it may draw some in vain.
    draws = bool(v.any()) or (name == "Ancestral" and sigma_s > 0)

    def draws_of(eta: Tensor) -> Callable[[], Tensor]:
        return (lambda: eta) if draws else refuse

    x0, x_t, eta = torch.randn(
        3, N, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    B = sampler.step(NOTHING, NOTHING, hop, draws_of(IMPULSES)).flatten(1).T
    mean = x0.flatten(1) @ C_s.T + (x_t.flatten(1) - x0.flatten(1) @ C_t.T) @ A.T

    assert_close(B @ B.T, v, scale=sigma_t**2)
    assert_close(sampler.step(x_t, x0, hop, draws_of(NOTHING)).flatten(1), mean, scale=x0.norm())
    assert_close(
        sampler.step(x_t, x0, hop, draws_of(eta)).flatten(1),
        mean + eta.flatten(1) @ B.T,
        scale=x0.norm(),
    )
    marginal = sigma_t**2 * A @ A.T + B @ B.T
    expected = (sigma_s**2 + excess(rho, sigma_t, sigma_s)) * UNIT
    assert_close(marginal, expected, scale=sigma_t**2)


@given(hops(), st.integers(0, 1000))
def test_nu_runs_from_the_deterministic_sampler_to_the_bridge(case, seed: int):
    process, t, s = case
    hop = process.transition(t, s)
    x0, x_t, eta = torch.randn(
        3, N, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    for nu, end in (("Nu 0", "Deterministic"), ("Nu 1", "Bridge")):
        steps = [build(name, process).step(x_t, x0, hop, lambda: eta) for name in (nu, end)]
        assert_close(*steps)


def test_the_bridge_is_ancestral_sampling_without_a_corruption():
    process = sd.SoftDiffusion(sd.Identity(), schedules.geometric((0.1, 1), (0.02, 2)))
    hop = process.transition(0.7, 0.4)
    x0, x_t, eta = torch.randn(3, N, *SHAPE, dtype=torch.float64)
    ancestral = build("Ancestral", process).step(x_t, x0, hop, lambda: eta)
    assert_close(ancestral, build("Bridge", process).step(x_t, x0, hop, lambda: eta))


def test_an_ancestral_chain_that_does_not_exist_is_refused():
    matrix = sd.MatrixFamily(4 * torch.eye(N, dtype=torch.float64))
    process = sd.SoftDiffusion(matrix, schedules.linear((0, 1), (0.1, 0.12)))
    with pytest.raises(ValueError, match="square root"):
        build("Ancestral", process).step(
            NOTHING, NOTHING, process.transition(1.0, 0.2), lambda: IMPULSES
        )
