"""The library's own setting, written out."""

import pytest
import torch

import softdiffusion as sd
from softdiffusion.presets import blurred_flow, rectified_flow
from tests.unit.presets.networks import Tiny, normal

# The drift-matched loss takes torch's own derivatives.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

NET = Tiny()
X0, ETA = normal(4, 1, 6, 6), normal(4, 1, 6, 6, seed=1)
T = torch.tensor([0.05, 0.1, 0.7, 1.0], dtype=torch.float64)


def test_the_image_fades_and_blurs_into_the_noise():
    t = T[:, None, None, None]
    blurred = torch.cat(
        [sd.GaussianBlur().at(2.5 * float(s))(x) for s, x in zip(T, X0.split(1), strict=True)]
    )
    state = blurred_flow(2.5).process.perturb(X0, T, ETA)
    torch.testing.assert_close(state, (1 - t) * blurred + t * ETA)


def test_a_path_that_stops_early_is_the_first_part_of_the_whole():
    whole, part = blurred_flow(2.5).process, blurred_flow(2.5, end=0.7).process
    torch.testing.assert_close(part.perturb(X0, T, ETA), whole.perturb(X0, 0.7 * T, ETA))


@pytest.mark.parametrize("end", [0.0, 1.5, float("nan")])
def test_the_end_lies_on_the_path(end):
    with pytest.raises(ValueError, match=f"end is {end:g}"):
        blurred_flow(end=end)


def test_without_blur_it_is_rectified_flow():
    """The same path and prediction; the loss, from t = 0.1 on, is that of the velocity / N^2."""
    ours, flow = blurred_flow(0.0), rectified_flow()
    x_t = flow.process.perturb(X0, T, ETA)
    torch.testing.assert_close(ours.process.perturb(X0, T, ETA), x_t)
    torch.testing.assert_close(ours.denoiser(NET)(x_t, T), flow.denoiser(NET)(x_t, T))
    mine, theirs = (p.objective(p.process, p.denoiser(NET), X0, T, ETA) for p in (ours, flow))
    torch.testing.assert_close(100 * mine[1:], theirs[1:])
    assert 100 * mine[0] < theirs[0]


@pytest.mark.parametrize("steps", [1, 5])
def test_the_sampler_ends_where_it_is_trained(steps):
    preset = blurred_flow()
    sampler = preset.sampler(preset.denoiser(NET), steps=steps)
    assert isinstance(sampler, sd.MultistepSampler) and sampler.nfe == steps
    last = 1 if steps == 1 else 1 / (2 * steps)  # at t = 0 there is no noise, and no training
    assert sampler.grid[-1] == last
    assert sampler(ETA).isfinite().all()


def test_the_last_of_many_steps_stay_a_tenth_long():
    preset = blurred_flow()
    for steps in (20, 100):
        sampler = preset.sampler(preset.denoiser(NET), steps=steps)
        assert sampler.nfe == steps and sampler.shift == steps / 10
        assert sampler.grid[-2] - sampler.grid[-1] == pytest.approx(0.1, rel=0.2)
    assert preset.sampler(preset.denoiser(NET), steps=20, shift=1.0).shift == 1
