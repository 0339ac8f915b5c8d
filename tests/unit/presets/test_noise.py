"""DDPM, VE, rectified flow and EDM against diffusers and against their papers' own formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

import softdiffusion as sd
from softdiffusion.presets import edm, rectified_flow, ve, vp
from tests.unit.presets.networks import Tiny, moment, normal

# torch's forward-mode derivatives warn about a part of torch itself.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

NET = Tiny()
X1 = normal(4, 1, 8, 7)


def call(x: Tensor, t: float) -> Tensor:
    with torch.no_grad():
        return NET(x, moment(t, x))


def training(seed: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    t = torch.linspace(0.05, 1, 4, dtype=torch.float64)
    return normal(4, 1, 8, 7, seed=seed), t, normal(4, 1, 8, 7, seed=seed + 1)


def mean_square(error: Tensor) -> Tensor:
    return error.square().flatten(1).mean(dim=1)


# DDPM


def scheduler(name: str, steps: int, **options):
    diffusers = pytest.importorskip("diffusers")
    made = getattr(diffusers, name)(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=False,
        **options,
    )
    # In single precision, as it comes, 1 - alpha of a step is off by 1e-3 at the first levels.
    made.alphas_cumprod = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    made.set_timesteps(steps)
    return made


def diffusers_states(made, generator: torch.Generator) -> list[Tensor]:
    states = [X1]
    for k in made.timesteps:
        eps = call(states[-1], (int(k) + 1) / 1000)
        states.append(made.step(eps, k, states[-1], generator=generator).prev_sample)
    return states


def assert_same_path(ours: Tensor, theirs: list[Tensor]) -> None:
    """To rounding, which the division by alpha = 0.006 at the first level makes larger."""
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() <= 1e-10 * b.abs().max()


@pytest.mark.parametrize("steps", [10, 50, 1000])
def test_the_deterministic_sampler_is_ddim(steps):
    theirs = scheduler("DDIMScheduler", steps)
    times = [(int(k) + 1) / 1000 for k in theirs.timesteps]
    preset = vp()
    ours = sd.DeterministicSampler(preset.process, preset.denoiser(NET), times=times)
    assert_same_path(ours.trajectory(X1), diffusers_states(theirs, torch.Generator()))


@pytest.mark.parametrize("steps", [10, 50])
def test_the_sampler_is_ddpms_on_a_part_of_the_levels(steps):
    theirs = scheduler("DDPMScheduler", steps, variance_type="fixed_small")
    times = [(int(k) + 1) / 1000 for k in theirs.timesteps]
    ours = vp().sampler(vp().denoiser(NET), times=times)
    assert_same_path(
        ours.trajectory(X1, torch.Generator().manual_seed(1)),
        diffusers_states(theirs, torch.Generator().manual_seed(1)),
    )


def test_the_sampler_is_ddpms_on_all_levels():
    theirs = scheduler("DDPMScheduler", 1000, variance_type="fixed_small")
    ours = vp().sampler(vp().denoiser(NET))
    assert ours.grid == pytest.approx([(int(k) + 1) / 1000 for k in theirs.timesteps])
    assert_same_path(
        ours.trajectory(X1, torch.Generator().manual_seed(1)),
        diffusers_states(theirs, torch.Generator().manual_seed(1)),
    )


def test_ddpms_loss_is_the_error_of_the_noise():
    x0, t, eta = training()
    process = vp().process
    expected = mean_square(NET(process.perturb(x0, t, eta), t) - eta)
    loss = vp().objective(process, vp().denoiser(NET), x0, t, eta)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)


# The VE-SDE


def test_ve_has_the_papers_levels():
    i = np.arange(1, 1001)
    expected = 2 * 0.01 * (50 / 0.01) ** ((i - 1) / 999)
    grid = ve().sampler(ve().denoiser(NET)).grid
    times = torch.tensor(grid, dtype=torch.float64).flip(0)
    np.testing.assert_allclose(ve().process.sigma(times), expected, rtol=1e-12)
    x0 = normal(2, 1, 8, 7)
    assert torch.equal(ve().process.operator(0.7)(x0), x0)


def test_ves_sampler_is_the_reverse_diffusion_predictor():
    """Song et al. 2021, Appendix E, with the score of a network that predicts the noise."""
    steps = 12
    sigma = 0.02 * 5000 ** (torch.arange(steps, dtype=torch.float64) / (steps - 1))
    generator = torch.Generator().manual_seed(2)
    x = sigma[-1] * X1
    for i in range(steps - 1, 0, -1):
        score = -call(x, i / (steps - 1)) / sigma[i]
        gap = sigma[i] ** 2 - sigma[i - 1] ** 2
        eta = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        x = x + gap * score + gap.sqrt() * eta
    x = x - sigma[0] * call(x, 0.0)
    ours = ve().sampler(ve().denoiser(NET), steps=steps)
    images = ours(sigma[-1] * X1, torch.Generator().manual_seed(2))
    torch.testing.assert_close(images, x, rtol=1e-9, atol=1e-9)


def test_ves_loss_is_the_error_of_the_noise():
    x0, t, eta = training()
    process = ve().process
    expected = mean_square(NET(process.perturb(x0, t, eta), t) - eta)
    loss = ve().objective(process, ve().denoiser(NET), x0, t, eta)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)


# Rectified flow


def test_the_flow_is_a_straight_line():
    x0, t, eta = training()
    line = (1 - t)[:, None, None, None] * x0 + t[:, None, None, None] * eta
    torch.testing.assert_close(rectified_flow().process.perturb(x0, t, eta), line)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_the_flows_sampler_is_eulers_method(steps):
    x = X1
    for i in range(steps, 0, -1):
        x = x - call(x, i / steps) / steps
    images = rectified_flow().sampler(rectified_flow().denoiser(NET), steps=steps)(X1)
    torch.testing.assert_close(images, x, rtol=1e-12, atol=1e-12)


def test_the_flows_loss_is_the_error_of_the_velocity():
    x0, t, eta = training()
    process = rectified_flow().process
    expected = mean_square(NET(process.perturb(x0, t, eta), t) - (eta - x0))
    loss = rectified_flow().objective(process, rectified_flow().denoiser(NET), x0, t, eta)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)


# EDM


def edm_sigmas(steps: int) -> Tensor:
    """Karras et al. 2022, Eq. 5."""
    i = torch.arange(steps, dtype=torch.float64)
    return (80 ** (1 / 7) + i / (steps - 1) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7


def edm_denoised(x: Tensor, sigma: Tensor, t: float) -> Tensor:
    """Karras et al. 2022, Eq. 7 and Table 1, with the data's standard deviation 0.5."""
    c_skip = 0.25 / (sigma**2 + 0.25)
    c_out = sigma * 0.5 / (sigma**2 + 0.25).sqrt()
    return c_skip * x + c_out * call(x / (sigma**2 + 0.25).sqrt(), t)


def test_edms_sampler_is_the_papers_first_algorithm():
    steps = 18
    sigma = torch.cat([edm_sigmas(steps), torch.zeros(1, dtype=torch.float64)])
    x = 80 * X1
    for i in range(steps):
        t, s = 1 - i / (steps - 1), 1 - (i + 1) / (steps - 1)
        slope = (x - edm_denoised(x, sigma[i], t)) / sigma[i]
        following = x + (sigma[i + 1] - sigma[i]) * slope
        if sigma[i + 1] != 0:
            slope_s = (following - edm_denoised(following, sigma[i + 1], s)) / sigma[i + 1]
            following = x + (sigma[i + 1] - sigma[i]) * (slope + slope_s) / 2
        x = following
    sampler = edm().sampler(edm().denoiser(NET))
    assert sampler.nfe == 35  # as in the paper's Table 2
    torch.testing.assert_close(sampler(80 * X1), x, rtol=1e-9, atol=1e-9)


def test_edms_loss_has_the_papers_mean():
    """The mean over even times is the one over log-normal noise within the schedule's ends."""

    def weighted(log_sigma: float) -> float:
        density = math.exp(-(((log_sigma + 1.2) / 1.2) ** 2) / 2) / (1.2 * math.sqrt(2 * math.pi))
        return density * (math.exp(2 * log_sigma) + 0.25) / (math.exp(log_sigma) * 0.5) ** 2

    expected, _ = quad(weighted, math.log(0.002), math.log(80), epsabs=0, epsrel=1e-10, limit=200)
    # The midpoint rule, whose error falls with the square of the number of times: below 1e-6.
    t = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    error = torch.ones(len(t), 1, 1, 1, dtype=torch.float64)
    loss = edm().objective.loss(edm().process, error, t, error)
    assert float(loss.mean()) == pytest.approx(expected, rel=1e-6)


def test_edms_loss_is_even_on_the_networks_own_target():
    """With EDM's preconditioning the weight of the network's error is the density alone."""
    x0, t, eta = training()
    process, denoiser = edm().process, edm().denoiser(NET)
    x_t, sigma = process.perturb(x0, t, eta), process.sigma(t)
    c_skip, c_out, c_in = denoiser.preconditioning(process, x_t, t)
    target = (x0 - c_skip * x_t) / c_out
    growth = 7 * (80 ** (1 / 7) - 0.002 ** (1 / 7)) / sigma ** (1 / 7)
    density = torch.distributions.Normal(-1.2, 1.2).log_prob(sigma.log()).exp()
    expected = density * growth * mean_square(NET(c_in * x_t, t) - target)
    loss = edm().objective(process, denoiser, x0, t, eta)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("options", [{"data_std": 0.0}, {"std": -1.0}, {"std": math.nan}])
def test_impossible_deviations(options):
    with pytest.raises(ValueError, match="must be > 0"):
        sd.presets.EDMRegression(**options)


def test_edms_loss_needs_noise():
    loss = edm().objective
    with pytest.raises(ValueError, match="sigma is 0 at one of the times; use a process"):
        loss.loss(rectified_flow().process, normal(2, 1, 2, 2), torch.zeros(2), normal(2, 1, 2, 2))
