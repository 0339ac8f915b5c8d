"""Inverse heat dissipation and Blurring Diffusion against SciPy and the papers' formulas."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from scipy.special import expit
from torch import Tensor

import softdiffusion as sd
from softdiffusion.presets import BlurringKernel, BlurringNoise, blurring, inverse_heat
from tests.unit.presets.networks import Tiny, moment, normal

SHAPE = (8, 7)


def squared_frequencies() -> np.ndarray:
    rows, columns = (np.pi * np.arange(n) / n for n in SHAPE)
    return rows[:, None] ** 2 + columns[None, :] ** 2


def in_dct(x: Tensor, factor: np.ndarray) -> Tensor:
    """Multiplies the coefficients of SciPy's orthonormal DCT."""
    coefficients = dctn(x.numpy(), axes=(2, 3), norm="ortho")
    return torch.from_numpy(idctn(factor * coefficients, axes=(2, 3), norm="ortho"))


def predicted(denoiser: sd.BaseDenoiser, x: Tensor, t: float) -> Tensor:
    with torch.no_grad():
        return denoiser(x, moment(t, x))


# Inverse heat dissipation


def heat(x: Tensor, level: int, levels: int = 100) -> Tensor:
    """The blurs of 0 and 0.5 to 20 pixels in equal factors, run as heat for std^2 / 2."""
    blurs = np.concatenate([[0.0], np.geomspace(0.5, 20.0, levels)])
    return in_dct(x, np.exp(-squared_frequencies() * blurs[level] ** 2 / 2))


@pytest.mark.parametrize("level", [0, 1, 2, 57, 99, 100])
def test_heat_has_the_papers_levels(level):
    x0, eta = normal(2, 1, *SHAPE), normal(2, 1, *SHAPE, seed=1)
    x_t = inverse_heat().process.perturb(x0, level / 100, eta)
    torch.testing.assert_close(x_t, heat(x0, level) + 0.02 * eta, rtol=1e-10, atol=1e-10)


def test_heats_sampler_blurs_the_prediction_to_the_next_level_and_adds_its_own_noise():
    """Rissanen et al. 2023, Algorithm 2, with 0.0125 in [0, 1], which is 0.025 in [-1, 1]."""
    preset, x1 = inverse_heat(levels=12), normal(2, 1, *SHAPE)
    denoiser, generator = preset.denoiser(Tiny()), torch.Generator().manual_seed(3)
    u = x1
    for k in range(12, 0, -1):
        mean = heat(predicted(denoiser, u, k / 12), k - 1, levels=12)
        if k > 1:
            u = mean + 0.025 * torch.randn(u.shape, generator=generator, dtype=u.dtype)
    images = preset.sampler(denoiser)(x1, torch.Generator().manual_seed(3))
    torch.testing.assert_close(images, mean, rtol=1e-9, atol=1e-9)


def test_heats_sampler_takes_other_steps_and_times():
    denoiser = inverse_heat().denoiser(Tiny())
    assert inverse_heat().sampler(denoiser).nfe == 100
    assert inverse_heat().sampler(denoiser, steps=4).grid == [1.0, 0.75, 0.5, 0.25]
    assert inverse_heat().sampler(denoiser, times=[0.9, 0.1]).grid == [0.9, 0.1]
    shifted = inverse_heat().sampler(denoiser, steps=4, shift=3.0).grid
    assert shifted == pytest.approx([1.0, 0.9, 0.75, 0.5])
    with pytest.raises(ValueError, match="number of steps must be at least 1, but is 0"):
        inverse_heat().sampler(denoiser, steps=0)
    to_the_end = inverse_heat().sampler(denoiser, steps=4, final="sigma_min")
    assert to_the_end.grid == [1.0, 0.75, 0.5, 0.25, 0.0] and to_the_end.nfe == 4


def test_heats_loss_is_the_error_at_the_next_level():
    preset, x0, eta = inverse_heat(), normal(3, 1, *SHAPE), normal(3, 1, *SHAPE, seed=1)
    levels = [1, 40, 100]
    t = torch.tensor(levels, dtype=torch.float64) / 100
    denoiser = preset.denoiser(Tiny())
    x_t = torch.stack([heat(x0[i : i + 1], k)[0] for i, k in enumerate(levels)]) + 0.02 * eta
    error = denoiser(x_t, t).detach() - x0
    lost = [heat(error[i : i + 1], k - 1).square().mean() for i, k in enumerate(levels)]
    loss = preset.objective(preset.process, denoiser, x0, t, eta)
    torch.testing.assert_close(loss, torch.stack(lost), rtol=1e-9, atol=0)


# Blurring Diffusion


def blurring_levels(t: float) -> tuple[np.ndarray, float]:
    """The amplitude of every frequency and the noise, by the log-SNR as in Appendix A."""
    low, high = np.arctan(np.exp(-5.0)), np.arctan(np.exp(5.0))
    logsnr = -2 * np.log(np.tan(low + t * (high - low)))
    dissipation = (20 * np.sin(t * np.pi / 2) ** 2) ** 2 / 2
    kept = np.exp(-squared_frequencies() * dissipation) * (1 - 0.001) + 0.001
    return kept * np.sqrt(expit(logsnr)), float(np.sqrt(expit(-logsnr)))


@pytest.mark.parametrize("t", [0.0, 0.01, 0.3, 0.75, 1.0])
def test_blurring_has_the_papers_amplitudes_and_noise(t):
    x0, eta = normal(2, 1, *SHAPE), normal(2, 1, *SHAPE, seed=1)
    alpha, sigma = blurring_levels(t)
    x_t = blurring().process.perturb(x0, t, eta)
    torch.testing.assert_close(x_t, in_dct(x0, alpha) + sigma * eta, rtol=1e-10, atol=1e-10)


def test_blurrings_sampler_is_the_papers_reverse_chain():
    """Hoogeboom and Salimans 2023, Section 3: mean and variance of every frequency."""
    preset, x = blurring(), normal(2, 1, *SHAPE)
    denoiser, generator = preset.denoiser(Tiny()), torch.Generator().manual_seed(3)
    images = preset.sampler(denoiser, steps=6)(x, torch.Generator().manual_seed(3))
    for i in range(6, 0, -1):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = (
            blurring_levels(i / 6),
            blurring_levels((i - 1) / 6),
        )
        alpha_ts = alpha_t / alpha_s
        forward = sigma_t**2 - alpha_ts**2 * sigma_s**2
        variance = 1 / (1 / sigma_s**2 + alpha_ts**2 / forward)
        mean = in_dct(x, variance * alpha_ts / forward) + in_dct(
            predicted(denoiser, x, i / 6), variance * alpha_s / sigma_s**2
        )
        eta = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        x = mean + in_dct(eta, np.sqrt(variance))
    torch.testing.assert_close(images, x, rtol=1e-8, atol=1e-8)


def test_blurrings_loss_is_the_error_of_the_noise():
    """The noise that a prediction of the image stands for is (x_t - C_t x0_hat) / sigma_t."""
    preset, x0, eta = blurring(), normal(3, 1, *SHAPE), normal(3, 1, *SHAPE, seed=1)
    times = [0.1, 0.5, 1.0]
    t = torch.tensor(times, dtype=torch.float64)
    denoiser = preset.denoiser(Tiny())
    expected = []
    for i, time in enumerate(times):
        alpha, sigma = blurring_levels(time)
        x_t = in_dct(x0[i : i + 1], alpha) + sigma * eta[i : i + 1]
        noise = (x_t - in_dct(predicted(denoiser, x_t, time), alpha)) / sigma
        expected.append((noise - eta[i : i + 1]).square().mean())
    loss = preset.objective(preset.process, denoiser, x0, t, eta)
    torch.testing.assert_close(loss, torch.stack(expected), rtol=1e-8, atol=0)


def test_the_kernel_is_the_identity_at_no_angle_and_nothing_at_a_right_one():
    x = normal(2, 1, *SHAPE)
    kernel = BlurringKernel()
    torch.testing.assert_close(kernel.at(0.0)(x), x)
    # The cosine of the nearest double to pi / 2 is 6e-17.
    assert kernel.at(torch.pi / 2)(x).abs().max() < 1e-15
    for angle in (0.1, 1.0, 1.5):
        flat = kernel.at(angle)(torch.ones_like(x))
        torch.testing.assert_close(flat, torch.full_like(x, np.cos(angle)))


@pytest.mark.parametrize("options", [{"floor": 1.5}, {"floor": -0.1}, {"blur_max": -1.0}])
def test_impossible_kernels(options):
    with pytest.raises(ValueError, match="the floor in"):
        BlurringKernel(**options)


@pytest.mark.parametrize("build", [BlurringKernel, BlurringNoise])
def test_impossible_ratios(build):
    with pytest.raises(ValueError, match="must be > 0, but is 0"):
        build(logsnr=0.0)


@pytest.mark.parametrize("options", [{"levels": 1}, {"blur_min": 0.0}, {"blur_max": 0.1}])
def test_impossible_levels(options):
    with pytest.raises(ValueError, match="at least 2 levels of blurs that ascend from above 0"):
        inverse_heat(**options)
