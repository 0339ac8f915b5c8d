"""Soft Diffusion with the figures that are reported of the paper."""

import math

import pytest
import torch

from softdiffusion.presets import soft_blur, soft_mask
from tests.unit.presets.networks import Tiny, moment, normal


def test_the_blur_and_the_noise_on_celeba():
    schedule = soft_blur().process.schedule
    t = torch.tensor([0.0, 0.125, 0.25, 0.5, 1.0], dtype=torch.float64)
    noise = [2 * 0.01, 2 * math.sqrt(0.01 * 0.10), 2 * 0.10, 2 * 0.10, 2 * 0.10]
    assert schedule.sigma(t).tolist() == pytest.approx(noise)
    blur = schedule.severity(t).tolist()
    assert (blur[0], blur[-1]) == pytest.approx((0.01, 23.0))
    assert blur[3] == pytest.approx(math.sqrt(0.01 * 23.0))  # equal factors in equal times


def test_the_blurs_transfer_function():
    x0 = normal(2, 3, 8, 6)
    x0 = x0 - x0.mean(dim=(2, 3), keepdim=True)
    wave = torch.cos(math.pi * 2 * (torch.arange(6, dtype=torch.float64) + 0.5) / 6)
    wave = wave.expand(1, 1, 8, 6)
    blurred = soft_blur(blur=(0.5, 2.0)).process.operator(0.5)(wave)  # 1 pixel
    torch.testing.assert_close(blurred, math.exp(-0.5 * (math.pi * 2 / 6) ** 2) * wave)


@pytest.mark.parametrize("build", [soft_blur, soft_mask])
def test_the_loss_weight_and_network_are_the_papers(build):
    """|| C_t (phi(x_t, t) + x_t - x_0) ||^2 / sigma_t^2."""
    preset, x0, eta = build(), normal(3, 1, 8, 6), normal(3, 1, 8, 6, seed=1)
    t = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    x_t = preset.process.perturb(x0, t, eta)
    error = preset.process.operator(t)(Tiny()(x_t, t) + x_t - x0)
    expected = error.square().flatten(1).mean(dim=1) / preset.process.sigma(t) ** 2
    loss = preset.objective(preset.process, preset.denoiser(Tiny()), x0, t, eta)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("build", [soft_blur, soft_mask])
def test_the_sampler_is_the_papers_second_algorithm(build):
    preset, x = build(), normal(2, 1, 8, 6)
    denoiser, generator = preset.denoiser(Tiny()), torch.Generator().manual_seed(3)
    sampler = preset.sampler(denoiser, steps=5)
    images = sampler(x, torch.Generator().manual_seed(3))
    for t, s in ((1.0, 0.75), (0.75, 0.5), (0.5, 0.25), (0.25, 0.0)):
        with torch.no_grad():
            x0_hat = denoiser(x, moment(t, x))
        deblurred = preset.process.operator(s)(x0_hat) - preset.process.operator(t)(x0_hat)
        gap = preset.process.sigma(t) ** 2 - preset.process.sigma(s) ** 2
        score = preset.process.score(x, t, x0_hat)
        x = x + deblurred + gap * score
        if gap > 0:
            eta = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            x = x + gap.sqrt() * eta
    with torch.no_grad():
        expected = denoiser(x, moment(0.0, x))
    torch.testing.assert_close(images, expected)
    assert preset.sampler(denoiser).nfe == 280


def test_the_hole_takes_nearly_all_of_64_pixels():
    left = soft_mask().process.operator(1.0)(torch.ones(1, 1, 64, 64, dtype=torch.float64))
    assert left.max() < 0.07  # in the corners
    assert left.mean() < 0.03
