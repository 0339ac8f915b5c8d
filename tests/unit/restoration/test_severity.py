import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.restoration import SeverityEstimate, SeverityEstimator

SIGMA_Y = 0.05


def process(corruption: sd.Corruption, largest: float) -> sd.SoftDiffusion:
    return sd.SoftDiffusion(corruption, schedules.geometric((0.2, largest), (SIGMA_Y, 0.3)))


def degraded(blur: sd.SoftDiffusion, images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Images at random times, with the noise SIGMA_Y, and their severities."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.rand(len(images), generator=generator, dtype=torch.float64)
    severity = blur.schedule.severity(t)
    noise = torch.randn(images.shape, generator=generator, dtype=torch.float64)
    return blur.corruption.at(severity)(images) + SIGMA_Y * noise, severity


def coverage(estimate: SeverityEstimate, severity: Tensor) -> float:
    held = (estimate.low <= severity) & (severity <= estimate.high)
    return float(held.double().mean())


def test_on_gaussian_data_the_interval_holds_what_it_says():
    """Of 1,000 images with contrasts of the prior, 95 % within 4 standard errors of 0.7 %."""
    generator = torch.Generator().manual_seed(0)
    k = torch.arange(8, dtype=torch.float64)
    spectrum = (2 / (1 + k[:, None] ** 2 + k**2))[None]
    linear = sd.GaussianDenoiser(
        process(sd.GaussianBlur(), 5.0), torch.zeros(1, 8, 8, dtype=torch.float64), spectrum
    )
    contrast = 2 ** (3 - 6 * torch.rand(1000, 1, 1, 1, generator=generator, dtype=torch.float64))
    z = torch.randn(1000, 1, 8, 8, generator=generator, dtype=torch.float64)
    x0 = linear.transform.inverse((contrast * spectrum).sqrt() * z)
    y, severity = degraded(linear.process, x0, seed=1)
    estimate = SeverityEstimator(linear, SIGMA_Y)(y)
    # The interval is of whole steps of the grid, so it holds a little more than 95 %.
    assert 0.95 - 4 * 0.007 <= coverage(estimate, severity) <= 0.99
    pull = (estimate.mean - severity) / estimate.std
    assert 0.8 < float(pull.square().mean().sqrt()) < 1.2


@pytest.mark.parametrize("corruption", [sd.GaussianBlur(), sd.FadingMask()])
def test_on_digits_it_is_close_and_sure_of_no_more_than_it_knows(corruption, digits):
    linear = sd.GaussianDenoiser.fit(process(corruption, 5.0), digits)
    estimator = SeverityEstimator.fit(linear, digits, SIGMA_Y)
    test = sd.data.load("digits", split="test").double()
    y, severity = degraded(linear.process, test, seed=2)
    estimate = estimator(y)
    # Calibrated on 200 images: the share itself is uncertain by 1.5 %, that of 300 by 1.3 %.
    assert coverage(estimate, severity) >= 0.95 - 3 * 0.02
    error = (estimate.mean.log() - severity.log()).abs().median()
    assert error < 0.2


def test_on_fashion_mnist_the_temperature_makes_up_for_the_model(fashion_mnist):
    """The plain likelihood of Gaussian data is too sure of itself on photographs of clothes."""
    train = sd.data.load("fashion-mnist")[:2000].double()
    linear = sd.GaussianDenoiser.fit(process(sd.GaussianBlur(), 10.0), train)
    y, severity = degraded(linear.process, fashion_mnist[:100], seed=2)
    estimator = SeverityEstimator.fit(linear, train, SIGMA_Y)
    assert estimator.temperature > 1
    # 5 % of 200 images for the temperature and of 100 here: 1.5 % and 2.2 %.
    assert coverage(estimator(y), severity) >= 0.95 - 3 * 0.027


def test_contrast_is_not_taken_for_blur(digits):
    """Images of half the contrast look as blurred as before, within the interval."""
    linear = sd.GaussianDenoiser.fit(process(sd.GaussianBlur(), 5.0), digits)
    estimator = SeverityEstimator.fit(linear, digits, SIGMA_Y)
    mean = linear.mean.to(digits)
    pale = mean + 0.5 * (sd.data.load("digits", split="test").double() - mean)
    y, severity = degraded(linear.process, pale, seed=3)
    assert coverage(estimator(y), severity) >= 0.9


def test_an_estimate_does_not_depend_on_the_batch(digits):
    linear = sd.GaussianDenoiser.fit(process(sd.GaussianBlur(), 5.0), digits)
    estimator = SeverityEstimator(linear, SIGMA_Y, temperature=4.0)
    y, _ = degraded(linear.process, digits[:5], seed=4)
    together, alone = estimator(y), estimator(y[3:4])
    for name in ("mean", "std", "low", "high"):
        torch.testing.assert_close(getattr(together, name)[3:4], getattr(alone, name))


def test_levels_with_less_noise_than_the_image_are_left_out():
    linear = sd.GaussianDenoiser(
        process(sd.GaussianBlur(), 5.0), torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
    )
    severities = SeverityEstimator(linear, 0.15).severities
    schedule = linear.process.schedule
    assert (schedule.severity(torch.tensor(0.5)) < severities[0]) and severities[-1] == 5
    with pytest.raises(ValueError, match="noise of 0.5, but the process reaches only 0.3"):
        SeverityEstimator(linear, 0.5)
    with pytest.raises(ValueError, match="temperature must be in \\[1, 1e\\+09\\], but is 0.5"):
        SeverityEstimator(linear, 0.1, temperature=0.5)
