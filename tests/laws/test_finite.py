"""What passes a check gives finite results in single precision."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd
from softdiffusion import presets, schedules
from softdiffusion.checks import LARGEST, SMALLEST
from tests.registry import EXAMPLES, IMAGES, NOISE, gaussian_denoiser, public_classes

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

CORRUPTIONS = sorted(n for n, c in public_classes().items() if issubclass(c, sd.Corruption))
SAMPLERS = sorted(n for n, c in public_classes().items() if issubclass(c, sd.Sampler))

#: Numbers of all magnitudes up to the largest, with its ends.
magnitudes = st.one_of(
    st.sampled_from([0.0, 5e-324, 1e-45, 1e-30, SMALLEST, 1.0, 30.0, 64.0, 128.0, LARGEST]),
    st.floats(-300, 9).map(lambda exponent: 10.0**exponent),
)
levels = st.floats(-9, 9).map(lambda exponent: min(max(10.0**exponent, SMALLEST), LARGEST))


@pytest.mark.parametrize("name", [n for n in CORRUPTIONS if n != "LinearPhysics"])
@given(severity=magnitudes, dtype=st.sampled_from([torch.float16, torch.float32]))
def test_every_corruption_is_finite_at_every_severity_that_it_takes(name, severity, dtype):
    corruption = EXAMPLES[name]()
    severity = min(severity, corruption.max_severity)

    for images in (IMAGES, torch.zeros_like(IMAGES), IMAGES[..., :1, :]):
        if images.shape != IMAGES.shape and name in ("Composition", "MaskImage", "MatrixFamily"):
            continue  # made for one size
        assert corruption.at(severity)(images.to(dtype)).isfinite().all()


@pytest.mark.parametrize("name", [n for n in CORRUPTIONS if n != "LinearPhysics"])
@given(severity=magnitudes)
def test_the_derivative_by_the_severity_is_finite(name, severity):
    corruption = EXAMPLES[name]()
    at = torch.tensor([min(severity, corruption.max_severity)], dtype=torch.float32)

    _, slope = torch.func.jvp(lambda s: corruption.at(s)(IMAGES), (at,), (torch.ones(1),))

    assert slope.isfinite().all()


@pytest.mark.parametrize("name", CORRUPTIONS[:-1])
@pytest.mark.parametrize("severity", [1e20, 1e308, 2.0**63, math.inf, math.nan, -1e-30])
def test_other_severities_are_refused_with_the_range(name, severity):
    if name == "LinearPhysics":
        return
    with pytest.raises(ValueError, match=r"The severity of .* must be (in \[0, |finite and >= 0)"):
        EXAMPLES[name]().at(severity)


@given(low=levels, high=levels, time=st.floats(0, 1), rho=st.floats(0.01, 1000))
def test_every_curve_is_finite_and_within_its_ends(low, high, time, rho):
    low, high = min(low, high), max(low, high)
    t = torch.tensor([0.0, time, 1.0], dtype=torch.float32)
    for curve in (
        schedules.Linear(low, high, saturation=1e-9),
        schedules.Geometric(low, high, saturation=1e-9),
        schedules.Geometric(low, high),
        schedules.Karras(low, high, rho),
        schedules.Cosine(low, high),
        schedules.Sine(low, high),
        schedules.Table([low, high]),
        schedules.Constant(high),
    ):
        values = curve(t)
        assert values.isfinite().all()
        # The largest rounding is that of the exponent of 1e18.
        assert (values <= high * (1 + 1e-4)).all()
        assert (values >= low * (1 - 1e-4) - 1e-6 * high).all()


@given(beta_0=magnitudes, beta_1=magnitudes, time=st.floats(0, 1))
def test_rates_of_all_magnitudes_give_shares(beta_0, beta_1, time):
    t = torch.tensor([0.0, time, 1.0], dtype=torch.float32)

    for curve in (schedules.VPAmplitudeLoss(beta_0, beta_1), schedules.VPNoise(beta_0, beta_1)):
        assert ((curve(t) >= 0) & (curve(t) <= 1)).all()


@given(low=levels, high=levels, blur=st.floats(0, LARGEST), index=st.integers(0, 4))
def test_losses_are_finite_for_noise_of_all_magnitudes(low, high, blur, index):
    schedule = schedules.Schedule(
        schedules.Linear(0.0, blur), schedules.Geometric(min(low, high), max(low, high))
    )
    process = sd.SoftDiffusion(sd.GaussianBlur(), schedule)
    objective = [
        sd.SoftScoreMatching(),
        sd.DenoisingScoreMatching(),
        sd.StepMatched(10, soft_share=1.0),
        sd.DriftMatched(),
        presets.EDMRegression(),
    ][index]
    t = torch.tensor([0.0, 0.5, 1.0])

    loss = objective(process, lambda x_t, t: x_t, IMAGES, t, NOISE)

    assert loss.isfinite().all()


@pytest.mark.parametrize("name", SAMPLERS)
@given(low=levels, high=levels, steps=st.integers(1, 4), shift=st.floats(1e-6, 1e6))
def test_every_sampler_is_finite_for_noise_of_all_magnitudes(name, low, high, steps, shift):
    noise = schedules.Geometric(min(low, high), max(low, high))
    process = sd.SoftDiffusion(sd.Identity(), schedules.Schedule(schedules.Constant(0.0), noise))
    model = sd.GaussianDenoiser(process, gaussian_denoiser().mean, gaussian_denoiser().spectrum)
    extra = {"nu": 0.5} if name == "NuSampler" else {}
    sampler = getattr(sd, name)(process, model, steps=steps, shift=shift, **extra)

    images = sampler(process.sigma(1.0).float() * NOISE, torch.Generator().manual_seed(0))

    assert images.isfinite().all()
