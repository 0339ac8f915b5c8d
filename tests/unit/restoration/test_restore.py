from functools import partial

import pytest
import torch

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.operators import DCT
from softdiffusion.restoration import linear_model, start_time
from tests.registry import IMAGES, LINES, every_third, process, small_network

#: Networks that were not trained restore badly, which is said; and without data all noise of a
#: level is added, which is said, too.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*a residual that contradicts:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*that is raised to:UserWarning"),
]

SHORT = partial(sd.AncestralSampler, steps=4)


def denoiser() -> sd.Denoiser:
    return sd.Denoiser(small_network(), process())


def degraded(severity: float | torch.Tensor = 1.0) -> torch.Tensor:
    return sd.GaussianBlur().at(severity)(IMAGES)


@pytest.mark.parametrize("batch_size", [1, 2, 4, None])
@pytest.mark.parametrize("by", ["level", "operator"])
def test_an_image_has_the_same_samples_in_any_batch(by, batch_size):
    model = denoiser()
    if by == "level":
        severity = torch.tensor([0.5, 1.0, 0.5])
        y = degraded(severity)
        arguments = {"severity": severity}
    else:
        y, arguments = LINES, {"operator": every_third(), "data": IMAGES}
    arguments |= {"sampler": partial(sd.BridgeSampler, steps=3), "sigma_y": 0.02}

    def restored(generators, batch_size=None, samples=3, **changes):
        return sd.restore(
            model,
            changes.pop("y", y),
            samples=samples,
            generator=generators,
            batch_size=batch_size,
            **arguments | changes,
        ).samples

    whole = restored(sd.generators(0, range(3)))
    assert whole.shape == (3, *IMAGES.shape)
    parts = restored(sd.generators(0, range(3)), batch_size)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    changes = {"severity": severity[1:2]} if by == "level" else {}
    alone = restored(sd.generators(0, [1]), y=y[1:2], **changes)
    torch.testing.assert_close(alone, whole[:, 1:2], rtol=1e-4, atol=1e-5)
    fewer = restored(sd.generators(0, range(3)), samples=2)
    torch.testing.assert_close(fewer, whole[:2], rtol=1e-4, atol=1e-5)


def test_what_a_restoration_holds():
    severity = torch.tensor([0.5, 1.0, 2.0])
    y = degraded(severity)
    found = sd.restore(denoiser(), y, severity=severity, samples=4, sampler=SHORT)
    assert found.t.tolist() == sorted(found.t.tolist())
    assert torch.equal(found.severity, severity.double()) and found.estimate is None
    torch.testing.assert_close(found.mean, found.samples.sum(0) / 4)
    torch.testing.assert_close(
        found.std**2, (found.samples - found.mean).square().sum(0) / 3, rtol=1e-4, atol=1e-6
    )
    for b in range(3):
        again = sd.GaussianBlur().at(float(severity[b]))(found.samples[:, b])
        miss = (again - y[b]).square().mean(dim=(1, 2, 3)).sqrt()
        torch.testing.assert_close(found.residual[:, b], miss)


def test_a_level_starts_from_the_image_itself():
    """With all the noise of its level, and a deterministic sampler, nothing is random."""
    model = denoiser()
    t = torch.tensor(0.5, dtype=torch.float64)
    severity, sigma = process().schedule(t)
    y = degraded(severity)
    kind = partial(sd.DeterministicSampler, steps=4)
    found = sd.restore(model, y, severity=severity, sigma_y=float(sigma), sampler=kind)
    times = [float(u * found.t[0]) for u in kind(process(), model).grid]
    expected = sd.DeterministicSampler(process(), model, times=times)(y)
    torch.testing.assert_close(found.samples[0], expected)


def test_an_image_on_the_first_level_is_predicted_once():
    severity, sigma = process().schedule(torch.tensor(0.0, dtype=torch.float64))
    model, y = denoiser(), degraded(severity)
    found = sd.restore(model, y, severity=severity, sigma_y=float(sigma))
    with torch.no_grad():
        torch.testing.assert_close(found.samples[0], model(y, torch.tensor(0.0)))


def test_the_settings_of_the_sampler_are_kept():
    seen = []

    def make(process, denoiser):
        sampler = sd.NuSampler(process, denoiser, steps=3, nu=0.5, clip=(-0.1, 0.1))
        seen.append(sampler)
        return sampler

    found = sd.restore(denoiser(), degraded(), severity=1.0, sampler=make)
    assert len(seen) == 1 and found.samples.abs().max() <= 0.1


def test_the_severity_is_estimated_from_the_data(digits):
    blur = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.geometric((0.2, 5.0), (0.02, 0.2)))
    linear = sd.GaussianDenoiser.fit(blur, digits)
    y = sd.GaussianBlur().at(1.0)(sd.data.load("digits", split="test")[:20].double())
    y = y + 0.02 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0)).double()
    found = sd.restore(linear, y, sigma_y=0.02, data=digits, sampler=SHORT)
    assert torch.equal(found.severity, found.estimate.mean)
    assert found.severity.median().item() == pytest.approx(1.0, rel=0.15)
    level = torch.tensor([route == "level" for route in found.route])
    for time, severity in zip(found.t[level], found.severity[level], strict=True):
        torch.testing.assert_close(time, start_time(blur, severity, 0.02))
    assert (found.t[~level] == 1).all() and not level.all()


def test_dps_takes_the_place_of_the_posterior():
    arguments = {
        "operator": every_third(),
        "data": IMAGES,
        "sampler": partial(sd.DeterministicSampler, steps=3),
    }
    plain, dps = (
        sd.restore(
            denoiser(), LINES, generator=sd.generators(0, range(3)), dps_step=step, **arguments
        )
        for step in (None, 0.5)
    )
    assert not torch.allclose(plain.samples, dps.samples)
    assert torch.isfinite(dps.samples).all()


def without_a_transform() -> sd.Denoiser:
    corruption = sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [2.0, 1.0])
    schedule = sd.schedules.linear((0.0, 1.0), (0.02, 0.2))
    return sd.Denoiser(small_network(), sd.SoftDiffusion(corruption, schedule))


def test_models_without_a_transform_restore_by_what_needs_none():
    model = without_a_transform()
    y = model.process.corruption.at(0.5)(IMAGES)
    bridge = partial(sd.BridgeSampler, steps=3)
    assert torch.isfinite(sd.restore(model, y, severity=0.5, sampler=bridge).samples).all()
    by_operator = {"operator": every_third(), "data": IMAGES, "sampler": bridge}
    found = sd.restore(model, LINES, dps_step=1.0, **by_operator)
    assert torch.isfinite(found.samples).all() and (found.t == 1).all()
    with pytest.raises(ValueError, match="square roots, and those of Composition are not known"):
        sd.restore(model, y, severity=0.5)
    with pytest.raises(ValueError, match="severity of Composition, .* can't be estimated; give it"):
        sd.restore(model, y, sigma_y=0.01, data=IMAGES, sampler=bridge)
    with pytest.raises(ValueError, match="which Composition is not; use DPSDenoiser"):
        sd.restore(model, LINES, **by_operator)


def test_without_a_transform_the_spectrum_is_that_of_the_dct():
    linear = linear_model(without_a_transform().process, IMAGES)
    expected = DCT().forward(IMAGES - IMAGES.mean(dim=0)).square().mean(dim=0)
    torch.testing.assert_close(linear.spectrum, expected)
    torch.testing.assert_close(linear.mean, IMAGES.mean(dim=0))
    in_pixels = sd.SoftDiffusion(sd.FadingMask(), process().schedule)
    assert linear_model(in_pixels, IMAGES).process is in_pixels


def test_a_convolution_is_restored_by_the_default_sampler():
    blur = sd.KernelBlur([[0.0, 0.0, 0.0], [0.1, 0.6, 0.3], [0.0, 0.0, 0.0]])
    schedule = sd.schedules.linear((0.0, 1.0), (0.02, 0.2))
    model = sd.Denoiser(small_network(), sd.SoftDiffusion(blur, schedule))
    found = sd.restore(model, blur.at(0.5)(IMAGES), severity=0.5)
    assert torch.isfinite(found.samples).all()


def test_progress_is_shown_by_batch(capsys):
    sd.restore(denoiser(), degraded(), severity=1.0, sampler=SHORT, batch_size=2, progress=True)
    assert "2/2" in capsys.readouterr().err


def test_what_can_not_be_restored_is_refused():
    model, y = denoiser(), degraded()
    with pytest.raises(ValueError, match="clean images like those of training are needed"):
        sd.restore(model, y, sigma_y=0.01)
    with pytest.raises(ValueError, match="relies on the noise in the images, but sigma_y is 0"):
        sd.restore(model, y, data=IMAGES, sigma_y=0.0)
    with pytest.raises(ValueError, match="clean images like those of training are needed"):
        sd.restore(model, LINES, operator=every_third())
    with pytest.raises(ValueError, match="severity 1.0 belongs to the model's corruption; give it"):
        sd.restore(model, y, severity=1.0, operator=every_third())
    with pytest.raises(ValueError, match="DPS is for measurements by an operator"):
        sd.restore(model, y, severity=1.0, dps_step=1.0)
    with pytest.raises(ValueError, match=r"samples must be in \[1, 10000\], but is 0"):
        sd.restore(model, y, severity=1.0, samples=0)
    with pytest.raises(ValueError, match="3 images need 3 generators, but 2 were given"):
        sd.restore(model, y, severity=1.0, generator=sd.generators(0, range(2)))
    with pytest.raises(ValueError, match="images y must be finite"):
        sd.restore(model, y / 0, severity=1.0)
    with pytest.raises(ValueError, match="needs at least 2 samples"):
        _ = sd.restore(model, y, severity=1.0, sampler=SHORT).std


@pytest.mark.parametrize(
    ("y", "arguments", "message"),
    [
        (degraded().to(torch.uint8), {"severity": 1.0}, "but have the type torch.uint8"),
        (degraded()[:0], {"severity": 1.0}, "At least one image is needed"),
        (degraded(), {"severity": [1.0, 1.0]}, "3 images need one severity, or one each"),
        (degraded(), {"severity": [[1.0]] * 3}, "3 images need one severity, or one each"),
        (degraded(), {"sigma_y": 0.1, "data": IMAGES.byte()}, "but have the type torch.uint8"),
    ],
)
def test_images_severities_and_data_must_fit(y, arguments, message):
    with pytest.raises(ValueError, match=message):
        sd.restore(denoiser(), y, sampler=SHORT, **arguments)


def test_clean_images_need_no_step():
    linear = sd.GaussianDenoiser.fit(sd.presets.cold_blur(width=3).process, IMAGES)
    short = partial(sd.DeterministicSampler, steps=4, final="sigma_min")
    found = sd.restore(linear, IMAGES, severity=0.0, sampler=short)
    torch.testing.assert_close(found.samples[0], IMAGES, rtol=1e-4, atol=1e-5)


def test_the_default_sampler_bears_the_rounding_of_a_kernel():
    """The sum of a kernel is 1 up to rounding, so that a step may keep a little more than all."""
    line = torch.exp(-(torch.arange(-5, 6) ** 2) / 2)
    kernel = torch.outer(line, line)
    blur = sd.KernelBlur(kernel / kernel.sum())
    schedule = schedules.geometric((0.01, 1.0), (0.02, 0.2), sigma_saturation=0.25)
    linear = sd.GaussianDenoiser.fit(sd.SoftDiffusion(blur, schedule), IMAGES)
    found = sd.restore(linear, blur.at(1.0)(IMAGES), severity=1.0, sigma_y=0.2)
    assert found.samples.isfinite().all()


def test_a_blur_that_changes_sign_is_no_markov_chain():
    schedule = schedules.linear((0.0, 6.0), (0.02, 0.2))
    linear = sd.GaussianDenoiser.fit(sd.SoftDiffusion(sd.MotionBlur(), schedule), IMAGES)
    with pytest.raises(ValueError, match="can't be drawn as one of a Markov chain; name another"):
        sd.restore(linear, sd.MotionBlur().at(5.0)(IMAGES), severity=5.0)


@pytest.mark.parametrize("preset", ["rectified_flow", "vp", "blurred_flow"])
def test_the_severity_of_a_scale_is_estimated(preset, digits):
    process = getattr(sd.presets, preset)().process
    linear = sd.GaussianDenoiser.fit(process, digits)
    severity, sigma_y = float(process.schedule.severity(torch.tensor(0.5))), 0.05
    noise = torch.randn(digits[:40].shape, generator=torch.Generator().manual_seed(0))
    y = process.corruption.at(severity)(digits[:40]) + sigma_y * noise
    short = partial(sd.DeterministicSampler, steps=3)
    found = sd.restore(linear, y, sigma_y=sigma_y, data=digits, sampler=short)
    estimate = found.estimate
    held = (estimate.low <= severity) & (severity <= estimate.high)
    assert held.double().mean() >= 0.8  # intervals of 95 %
    assert abs(found.severity.median() - severity) < 0.2 * severity
