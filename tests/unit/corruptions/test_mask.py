import math

import pytest
import torch

import softdiffusion as sd

ONES = torch.ones(1, 1, 5, 8, dtype=torch.float64)


def test_the_hole_is_as_deep_as_the_formula_says():
    """The mean squared distance over a pixel, by numerical integration over its area."""
    offsets = (torch.arange(100, dtype=torch.float64) + 0.5) / 100 - 0.5
    for row, column in [(0, 0), (2, 3), (4, 7), (2, 0)]:
        dy = row - 2 + offsets[:, None]
        dx = column - 3.5 + offsets
        squared = (dx**2 + dy**2).mean()
        for severity in (0.3, 2.0, 50.0):
            kept = sd.FadingMask().at(severity)(ONES)[0, 0, row, column]
            assert kept == pytest.approx(-math.expm1(-squared / (2 * severity**2)), rel=1e-4)


def test_more_is_lost_in_the_centre_and_with_severity():
    mild, strong = (sd.FadingMask().at(severity)(ONES)[0, 0] for severity in (1.0, 3.0))
    assert (strong < mild).all()
    assert mild.argmin() in (2 * 8 + 3, 2 * 8 + 4)
    assert torch.allclose(mild, mild.flip(0)) and torch.allclose(mild, mild.flip(1))


def test_nothing_is_left_in_the_limit():
    assert (sd.FadingMask().at(1e6)(ONES) < 1e-10).all()
    assert (sd.FadingMask().at(1e6)(ONES) > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_severity_0_has_a_derivative(dtype):
    """A loss on the drift may meet the time 0."""
    severity = torch.zeros(2, dtype=dtype, requires_grad=True)
    sd.FadingMask().at(severity)(ONES.to(dtype)).sum().backward()
    assert severity.grad.tolist() == [0, 0]
