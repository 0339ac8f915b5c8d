"""The momentum step is the step of two other methods, written as their authors write it."""

import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.samplers import Step
from softdiffusion.schedules import Constant, Geometric, Linear, geometric

SHAPE = (1, 6, 5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moment(t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)


def gaussian(process: sd.SoftDiffusion) -> sd.GaussianDenoiser:
    return sd.GaussianDenoiser(process, 0.3 * normal(*SHAPE), 0.1 + normal(*SHAPE) ** 2)


@pytest.mark.parametrize("hop", [(1.0, 0.9), (0.7, 0.2), (0.05, 0.0)])
def test_without_a_corruption_it_is_the_reverse_diffusion_predictor(hop):
    """Song et al. 2021, Appendix F, for the VE-SDE, with the score of the exact denoiser."""
    process = sd.SoftDiffusion(sd.Identity(), geometric((0.1, 1.0), (0.01, 50.0)))
    t, s = hop
    x_t, z = normal(4, *SHAPE, seed=1), normal(4, *SHAPE, seed=2)
    x0_hat = gaussian(process)(x_t, moment(t))
    sigma_t, sigma_s = float(process.sigma(t)), float(process.sigma(s))
    gap = sigma_t**2 - sigma_s**2
    expected = x_t + gap * process.score(x_t, t, x0_hat) + gap**0.5 * z
    sampler = sd.MomentumSampler(process, gaussian(process))
    torch.testing.assert_close(
        sampler.step(x_t, x0_hat, process.transition(t, s), lambda: z), expected
    )


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("corruption", [sd.GaussianBlur(), sd.FadingMask()])
def test_with_constant_noise_it_is_the_second_algorithm_of_cold_diffusion(corruption, sigma):
    """Bansal et al. 2022, Algorithm 2, at every step of a run."""
    process = sd.SoftDiffusion(corruption, sd.Schedule(Linear(0.0, 1.5), Constant(sigma)))
    denoiser = gaussian(process)
    x1 = process.operator(1.0)(normal(4, *SHAPE, seed=1))
    seen: list[Step] = []
    sd.MomentumSampler(process, denoiser, steps=8)(x1, callback=seen.append)

    x = x1
    for step, following in zip(seen, seen[1:], strict=False):
        x0_hat = denoiser(x, moment(step.t))
        x = x - process.operator(step.t)(x0_hat) + process.operator(following.t)(x0_hat)
        torch.testing.assert_close(following.x_t, x)


def test_it_deblurs_denoises_and_adds_noise():
    """Daras et al. 2022, Eq. 16, term by term, also where the noise has stopped growing."""
    process = sd.SoftDiffusion(
        sd.GaussianBlur(), sd.Schedule(Geometric(0.2, 3.0), Geometric(0.02, 0.2, 0.25))
    )
    sampler = sd.MomentumSampler(process, gaussian(process))
    x_t, x0_hat, eta = normal(3, 4, *SHAPE)
    for t, s in ((1.0, 0.5), (0.3, 0.2), (0.2, 0.1)):
        gap = process.sigma(t) ** 2 - process.sigma(s) ** 2
        deblur = process.operator(s)(x0_hat) - process.operator(t)(x0_hat)
        denoise = gap / process.sigma(t) ** 2 * (process.operator(t)(x0_hat) - x_t)
        expected = x_t + deblur + denoise + gap.sqrt() * eta
        torch.testing.assert_close(
            sampler.step(x_t, x0_hat, process.transition(t, s), lambda: eta), expected
        )
