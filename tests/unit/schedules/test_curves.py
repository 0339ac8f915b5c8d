import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion import schedules

T = torch.linspace(0, 1, 1001, dtype=torch.float64)
POSITIVE = st.floats(1e-3, 1e3)

#: Every curve with a start and an end of its own.
BETWEEN = [
    schedules.Linear,
    schedules.Geometric,
    schedules.Cosine,
    schedules.Sine,
    lambda a, b: schedules.Table([a, (a + b) / 2, b]),
]


@pytest.mark.parametrize("curve", BETWEEN)
@given(st.tuples(POSITIVE, POSITIVE).map(sorted))
def test_curves_go_from_their_start_to_their_end_and_never_down(curve, ends):
    start, end = ends
    values = curve(start, end)(T)
    assert values[0].item() == pytest.approx(start, rel=1e-14)
    assert values[-1].item() == pytest.approx(end, rel=1e-14)
    assert (values.diff() >= 0).all()
    assert curve(start, end)(T.float()).dtype == torch.float32


@pytest.mark.parametrize("curve", BETWEEN)
@pytest.mark.parametrize("start", [1.0, math.nextafter(1, 0), 0.3])
def test_a_curve_that_hardly_rises_does_not_fall(curve, start):
    for end in (start, math.nextafter(start, 2)):
        values = curve(start, end)(T)
        assert (values.diff() >= 0).all()


def test_the_middle_of_every_curve():
    half = torch.tensor([0.5], dtype=torch.float64)
    expected = {
        schedules.Constant(3.0): 3.0,
        schedules.Linear(1.0, 9.0): 5.0,
        schedules.Geometric(1.0, 9.0): 3.0,
        schedules.Cosine(0.0, 2.0): 2 * (1 - math.sqrt(0.5)),
        schedules.Sine(0.0, 2.0): 2 * math.sqrt(0.5),
        schedules.Table([0.0, 1.0, 5.0]): 1.0,
        schedules.VPAmplitudeLoss(0.1, 20.0): 1 - math.exp(-0.25 * 0.25 * 19.9 - 0.025),
    }
    for curve, value in expected.items():
        assert curve(half).item() == pytest.approx(value, rel=1e-13)


def test_a_saturated_curve_stays_at_its_end():
    curve = schedules.Geometric(0.01, 0.1, saturation=0.25)
    assert (curve(T[T >= 0.25]) == 0.1).all()
    assert curve(torch.tensor(0.125, dtype=torch.float64)).item() == pytest.approx(0.01 * 10**0.5)
    line = schedules.Linear(0.0, 0.1, saturation=0.25)
    assert (line(T[T >= 0.25]) == 0.1).all()
    assert line(torch.tensor(0.125, dtype=torch.float64)).item() == 0.05


@given(st.floats(0.01, 1), st.floats(1, 40))
def test_the_vp_curves_preserve_the_variance(beta_0, beta_1):
    amplitude = 1 - schedules.VPAmplitudeLoss(beta_0, beta_1)(T)
    noise = schedules.VPNoise(beta_0, beta_1)(T)
    assert ((amplitude**2 + noise**2) - 1).abs().max() <= 1e-14
    assert noise[0] == 0 and amplitude[0] == 1


def test_the_vp_noise_keeps_its_accuracy_where_there_is_little():
    """1 - alpha^2 would cancel: to leading order it is beta_0 t."""
    t = torch.tensor([1e-6])
    assert schedules.VPNoise(0.1, 20.0)(t).item() == pytest.approx((0.1e-6) ** 0.5, rel=1e-3)


def test_a_table_is_straight_between_its_values():
    table = schedules.Table([0, 1, 1, 4])
    t = torch.tensor([0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1], dtype=torch.float64)
    expected = torch.tensor([0, 0.5, 1, 1, 1, 2.5, 4], dtype=torch.float64)
    assert torch.allclose(table(t), expected, atol=1e-14)
    assert torch.allclose(table(t.reshape(7, 1)), expected[:, None], atol=1e-14)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: schedules.Geometric(0.0, 1.0), "starts above zero and does not fall"),
        (lambda: schedules.Geometric(1.0, 0.5), "starts above zero and does not fall.* 1 to 0.5"),
        (lambda: schedules.Geometric(0.1, 1.0, saturation=0.0), r"must be in \(0, 1\], but is 0"),
        (lambda: schedules.Geometric(0.1, 1.0, saturation=1.5), r"must be in \(0, 1\], but is 1.5"),
        (lambda: schedules.Linear(0.0, 1.0, saturation=0.0), r"must be in \(0, 1\], but is 0"),
        (lambda: schedules.Table([1.0]), "at least two values, but has 1"),
        (lambda: schedules.Table([1.0, 0.5]), "must be finite and not decrease"),
        (lambda: schedules.Table([1.0, math.nan]), "must be finite and not decrease"),
    ],
)
def test_impossible_curves_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
