import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd
from softdiffusion import schedules

T = torch.linspace(0, 1, 101, dtype=torch.float64)


def test_a_schedule_gives_severity_and_noise():
    schedule = schedules.linear(severity=(0, 2), sigma=(0.1, 0.5))
    severity, sigma = schedule(torch.tensor([0.0, 0.5, 1.0]))
    assert severity.tolist() == pytest.approx([0, 1, 2])
    assert sigma.tolist() == pytest.approx([0.1, 0.3, 0.5])


def test_severity_and_noise_saturate_apart():
    schedule = schedules.geometric((0.01, 23.0), (0.02, 0.2), sigma_saturation=0.25)
    severity, sigma = schedule(T)
    assert (sigma[T >= 0.25] == 0.2).all() and sigma[T < 0.25].max() < 0.2
    assert (severity.diff() > 0).all()
    both = schedules.geometric((0.01, 23.0), (0.02, 0.2), saturation=0.5)
    assert (both.sigma(T[T >= 0.5]) == 0.2).all() and (both.severity(T[T >= 0.5]) == 23).all()


@pytest.mark.parametrize("schedule", [schedules.vp(), schedules.vp(0.5, 5.0), schedules.cosine()])
def test_the_variance_is_preserved(schedule):
    severity, sigma = schedule(T)
    assert ((1 - severity) ** 2 + sigma**2 - 1).abs().max() <= 1e-14


@given(st.floats(1e-6, 1))
def test_a_schedule_may_end_at_the_largest_severity(start):
    """Rounding must not carry it beyond."""
    for schedule in (
        schedules.geometric((start, 1.0), (0.1, 0.2)),
        schedules.linear((start, 1.0), (0.1, 0.2)),
        schedules.Schedule(schedules.Cosine(start, 1.0), schedules.Constant(0.1)),
        schedules.Schedule(schedules.Sine(start, 1.0), schedules.Constant(0.1)),
        schedules.tabulated([start, 1.0], [0.1, 0.2]),
    ):
        sd.SoftDiffusion(sd.Scaling(), schedule)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: schedules.linear((2, 1), (0, 1)), "severity must not decrease.* t = 0.000"),
        (lambda: schedules.linear((1, 2), (1, 0)), "sigma must not decrease"),
        (lambda: schedules.linear((-1, 2), (0, 1)), "severity must be finite and >= 0.* -1"),
        (lambda: schedules.linear((0, float("inf")), (0, 1)), "end of Linear must be in"),
    ],
)
def test_impossible_schedules_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
