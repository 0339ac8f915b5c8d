"""Which route an image takes, and what is said of noise that contradicts it."""

import warnings
from functools import partial

import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.restoration import topping_up_cost

PROCESS = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.geometric((0.2, 5.0), (0.02, 0.2)))
SHORT = partial(sd.AncestralSampler, steps=10)


@pytest.fixture(scope="module")
def linear(digits) -> sd.GaussianDenoiser:
    return sd.GaussianDenoiser.fit(PROCESS, digits)


@pytest.fixture(scope="module")
def gaussian(linear) -> Tensor:
    """Images for which the denoiser is exact."""
    z = torch.randn(100, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    return linear.mean + linear.transform.inverse(linear.spectrum.sqrt() * z)


def degraded(images: Tensor, severity: float, sigma_y: float) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).double()
    return PROCESS.corruption.at(severity)(images) + sigma_y * noise


def test_the_cost_is_that_of_the_wiener_filter(linear, gaussian):
    """Squared errors of the best linear estimate at both noises, within the error of 100 images."""
    severity, noises = 1.0, (0.02, 0.1)
    blur = PROCESS.corruption.at(severity)
    errors = [
        (sd.restoration.wiener(linear, blur, degraded(gaussian, severity, noise), noise) - gaussian)
        .square()
        .mean()
        for noise in noises
    ]
    expected = 10 * torch.log10(errors[1] / errors[0])
    found = topping_up_cost(linear, severity, *noises)
    # A mean of 6,400 squares is known to 1.8 % or 0.08 dB, and few modes make most of it.
    torch.testing.assert_close(found[0], expected, rtol=0, atol=0.5)
    assert topping_up_cost(linear, severity, 0.1, 0.1)[0] == 0


@pytest.mark.parametrize("severity", [0.3, 1.0, 3.0])
def test_the_route_is_the_better_one(severity, linear, gaussian, digits):
    """On Gaussian data the error of samples tells, within 3 standard errors."""
    level = float(PROCESS.sigma(sd.restoration.start_time(PROCESS, severity)))
    for sigma_y in (0.0023, 0.3 * level, level):
        y = degraded(gaussian, severity, sigma_y)
        known = {"severity": severity, "sigma_y": sigma_y, "data": digits}
        errors = {}
        for route in ("level", "operator"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of what topping up costs
                found = sd.restore(
                    linear, y, route=route, generator=sd.generators(0, range(len(y))),
                    sampler=partial(sd.AncestralSampler, steps=30) if route == "level" else None,
                    **known,
                )  # fmt: skip
            errors[route] = (found.samples[0] - gaussian).square().mean(dim=(1, 2, 3))
        (chosen,) = set(sd.restoration.make_plan(linear, y, **known).route)
        (other,) = errors.keys() - {chosen}
        lead = errors[other] - errors[chosen]
        # Up to 1 dB may be lost by topping up before the other way is taken.
        slack = 0.26 * errors[other].mean() if chosen == "level" else 0.0
        assert lead.mean() + slack > -3 * lead.std() / len(y) ** 0.5


def test_without_data_the_level_is_taken_and_said_with_numbers(linear, digits):
    y = degraded(digits[:2], 1.0, 0.0023)
    with pytest.warns(
        UserWarning, match=r"2 images have noise of 0.0023 that is raised to the 0.0"
    ):
        found = sd.restore(linear, y, severity=1.0, sigma_y=0.0023, sampler=SHORT)
    assert found.route == ("level", "level") and "with data=" in found.warnings[0]
    with pytest.warns(UserWarning, match=r"costs up to \d+.\d dB by .*; leave out route='level'"):
        sd.restore(
            linear, y, severity=1.0, sigma_y=0.0023, data=digits, route="level", sampler=SHORT
        )
    found = sd.restore(linear, y, severity=1.0, sigma_y=0.0023, data=digits)
    assert found.route == ("operator", "operator") and found.warnings == ()


def test_noise_beyond_the_level_goes_by_the_operator(linear, digits):
    """Stated, it is refused with the remedy, which works; estimated, it is done."""
    y = degraded(digits[:3], 1.0, 0.4)
    with pytest.raises(ValueError, match="noise of 0.4, but .* only 0.0.*: route='operator'"):
        sd.restore(linear, y, severity=1.0, sigma_y=0.4, data=digits)
    stated = sd.restore(linear, y, severity=1.0, sigma_y=0.4, data=digits, route="operator")
    found = sd.restore(linear, y, severity=1.0, data=digits)
    assert stated.route == ("operator",) * 3 and found.route == stated.route
    assert ((found.noise.low <= 0.4) & (found.noise.high >= 0.4)).all()


@pytest.mark.parametrize("route", ["auto", "operator"])
@pytest.mark.parametrize("severity", [0.3, 1.5, 4.0])
@pytest.mark.parametrize("sigma_y", [0.0023, 0.02, 0.2])
def test_true_noise_is_never_doubted(route, severity, sigma_y, linear, digits):
    test = sd.data.load("digits", split="test")[:40].double()
    y = degraded(test, severity, sigma_y)
    level = float(PROCESS.sigma(sd.restoration.start_time(PROCESS, severity)))
    if route == "auto" and sigma_y > level:
        return
    arguments = {"severity": severity, "sigma_y": sigma_y, "data": digits, "route": route}
    assert sd.restore(linear, y, sampler=SHORT, **arguments).warnings == ()


@pytest.mark.parametrize(("stated", "true"), [(0.0023, 0.05), (0.15, 0.004)])
@pytest.mark.parametrize("route", ["level", "operator"])
def test_wrong_noise_is_contradicted(stated, true, route, linear, digits):
    test = sd.data.load("digits", split="test")[:20].double()
    y = degraded(test, 4.0, true)
    with pytest.warns(UserWarning) as said:
        found = sd.restore(
            linear, y, severity=4.0, sigma_y=stated, data=digits, route=route, sampler=SHORT
        )
    assert any("another noise than sigma_y" in sentence for sentence in found.warnings)
    assert [str(warning.message) for warning in said] == list(found.warnings)
    assert all("\n" not in sentence for sentence in found.warnings)


def test_a_residual_alone_contradicts_the_noise_of_another_operator(linear, digits):
    """Half of the pixels, measured with noise that was not stated."""
    half = sd.RandomPixels().at(0.5)
    test = sd.data.load("digits", split="test")[:20].double()
    noise = torch.randn(test.shape, generator=torch.Generator().manual_seed(1)).double()
    good, bad = half(test) + 0.05 * noise, half(test) + 0.8 * noise
    assert sd.restore(linear, good, operator=half, sigma_y=0.05, data=digits).warnings == ()
    with pytest.warns(UserWarning, match="residual that contradicts sigma_y: .*, more than the"):
        sd.restore(linear, bad, operator=half, sigma_y=0.01, data=digits)


def test_a_mixture_of_routes_gives_every_image_its_own(linear, digits):
    test = sd.data.load("digits", split="test")[:4].double()
    severity, noise = torch.tensor([1.0, 0.5, 1.0, 2.0]), torch.tensor([0.0023, 0.037, 0.06, 0.002])
    y = torch.cat(
        [degraded(test, float(severity[k]), float(noise[k]))[k : k + 1] for k in range(4)]
    )
    arguments = {"data": digits, "sampler": partial(sd.MultistepSampler, steps=5)}
    together = sd.restore(
        linear, y, severity=severity, sigma_y=noise, generator=sd.generators(0, range(4)),
        samples=2, **arguments,
    )  # fmt: skip
    assert set(together.route) == {"level", "operator"}
    for k in range(4):
        alone = sd.restore(
            linear, y[k : k + 1], severity=severity[k], sigma_y=noise[k], samples=2,
            generator=sd.generators(0, [k]), **arguments,
        )  # fmt: skip
        assert alone.route[0] == together.route[k]
        torch.testing.assert_close(alone.samples[:, 0], together.samples[:, k])
        torch.testing.assert_close(alone.residual[:, 0], together.residual[:, k])


def test_routes_that_do_not_exist_are_refused(linear, digits):
    y, other = degraded(digits[:2], 1.0, 0.05), sd.FadingMask().at(1.0)
    with pytest.raises(ValueError, match="route must be 'auto', 'level' or 'operator', but is 'x'"):
        sd.restore(linear, y, severity=1.0, route="x")
    with pytest.raises(ValueError, match="lies on no level of the model; give a severity instead"):
        sd.restore(linear, y, operator=other, data=digits, route="level")
    with pytest.raises(ValueError, match="route='operator', clean images .* are needed"):
        sd.restore(linear, y, severity=1.0, route="operator")


def test_an_image_that_may_be_as_good_as_clean_is_said_to_be_one():
    """The posterior mean of its severity is too large for it, and deblurs what is sharp."""
    digits = sd.data.load("digits")
    process = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.geometric((0.1, 5.0), (0.01, 0.2)))
    linear = sd.GaussianDenoiser.fit(process, digits)
    clean, blurred = (
        sd.GaussianBlur().at(severity)(sd.data.load("digits", split="test")[:4])
        + 0.02 * torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        for severity in (0.1, 2.0)
    )
    few = partial(sd.MultistepSampler, steps=3)
    with pytest.warns(UserWarning, match="a severity that may be as small as any .* compare the"):
        found = sd.restore(linear, clean, data=digits, sampler=few)
    assert any("nearer to its original" in said for said in found.warnings)
    known = sd.restore(linear, blurred, data=digits, sampler=few)
    assert not any("nearer to its original" in said for said in known.warnings)
