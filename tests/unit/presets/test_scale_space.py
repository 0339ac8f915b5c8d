"""Scale Space Diffusion against its definition, with block averages and explicit matrices."""

import numpy as np
import pytest
import torch
from torch import Tensor

from softdiffusion.presets import ScaleSpace, scale_space
from tests.unit.presets.networks import Tiny, normal

SIDE = 8
ALPHA_BAR = np.concatenate([[1.0], np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))])


def halvings(level: int, resolutions: int = 4) -> int:
    """The schedule of resolutions of Section 8.3 and the code, level 1 being their timestep 0."""
    tau = max(level - 1, 0) / 999
    return min(int((1 - (1 - tau) ** 0.5) * resolutions), resolutions - 1)


def averaged(x: Tensor, times: int) -> Tensor:
    block = 2**times
    means = x.unflatten(2, (-1, block)).unflatten(4, (-1, block)).mean(dim=(3, 5), keepdim=True)
    return means.expand(-1, -1, -1, block, -1, block).flatten(2, 3).flatten(3, 4)


#: On both sides of the changes of resolution at 439, 751 and 938, and both ends.
LEVELS = [0, 1, 400, 438, 439, 700, 750, 751, 937, 938, 1000]


@pytest.mark.parametrize("level", LEVELS)
def test_the_image_fades_and_loses_resolution(level):
    x0, eta = normal(2, 1, SIDE, SIDE), normal(2, 1, SIDE, SIDE, seed=1)
    expected = (
        np.sqrt(ALPHA_BAR[level]) * averaged(x0, halvings(level))
        + np.sqrt(1 - ALPHA_BAR[level]) * eta
    )
    x_t = scale_space().process.perturb(x0, level / 1000, eta)
    torch.testing.assert_close(x_t, expected, rtol=1e-10, atol=1e-10)


def test_one_resolution_is_ddpm():
    x0 = normal(2, 1, SIDE, SIDE)
    for level in (0, 300, 1000):
        faded = scale_space(resolutions=1).process.operator(level / 1000)(x0)
        torch.testing.assert_close(faded, np.sqrt(ALPHA_BAR[level]) * x0)


@pytest.mark.parametrize(("t", "s"), [(439, 438), (938, 500), (1000, 999), (300, 2)])
def test_the_sampler_is_the_papers_posterior(t, s):
    """Mukhopadhyay et al. 2026, Eq. 6, at the full size."""
    n = SIDE**2
    unit = torch.eye(n, dtype=torch.float64).reshape(n, 1, SIDE, SIDE)
    M = np.sqrt(ALPHA_BAR[t] / ALPHA_BAR[s]) * averaged(unit, halvings(t)).flatten(1)
    variance_t, variance_s = 1 - ALPHA_BAR[t], 1 - ALPHA_BAR[s]
    x_t, x0 = normal(3, 1, SIDE, SIDE), normal(3, 1, SIDE, SIDE, seed=1)
    mu_s = np.sqrt(ALPHA_BAR[s]) * averaged(x0, halvings(s)).flatten(1)
    mean = mu_s + variance_s / variance_t * (x_t.flatten(1) - mu_s @ M.T) @ M
    covariance = variance_s * torch.eye(n) - variance_s**2 / variance_t * M.T @ M

    preset = scale_space()
    sampler = preset.sampler(preset.denoiser(Tiny()))
    hop = preset.process.transition(t / 1000, s / 1000)
    drawn = sampler.step(x_t, x0, hop, lambda: torch.zeros_like(x_t)).flatten(1)
    torch.testing.assert_close(drawn, mean, rtol=1e-8, atol=1e-8)
    zero = torch.zeros_like(unit)
    B = sampler.step(zero, zero, hop, lambda: unit).flatten(1)
    torch.testing.assert_close(B.T @ B, covariance, rtol=1e-8, atol=1e-8)


def test_the_loss_is_the_error_at_the_next_resolution():
    preset, x0, eta = scale_space(), normal(3, 1, SIDE, SIDE), normal(3, 1, SIDE, SIDE, seed=1)
    levels = [2, 439, 1000]
    t = torch.tensor(levels, dtype=torch.float64) / 1000
    denoiser = preset.denoiser(Tiny())
    error = Tiny()(preset.process.perturb(x0, t, eta), t).detach() - x0  # the network is direct
    expected = [
        ALPHA_BAR[k - 1] * averaged(error[i : i + 1], halvings(k - 1)).square().mean()
        for i, k in enumerate(levels)
    ]
    loss = preset.objective(preset.process, denoiser, x0, t, eta)
    torch.testing.assert_close(loss, torch.stack(expected), rtol=1e-8, atol=0)


@pytest.mark.parametrize("options", [{"resolutions": 0}, {"decay": 0.0}])
def test_impossible_schedules_of_resolutions(options):
    with pytest.raises(ValueError, match="at least 1 resolution"):
        ScaleSpace(**options)
