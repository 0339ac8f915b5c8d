import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd

SHARES = st.floats(0, 1)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(1, 2, *shape, dtype=torch.float64)


def inside(n: int, centre: float, share: float) -> torch.Tensor:
    """The part of each of n pixels that lies in the shrunk interval, by 1,000 points in each."""
    p = (torch.arange(1000 * n, dtype=torch.float64) + 0.5) / (1000 * n)
    hit = (p > centre * (1 - share)) & (p < centre + (1 - centre) * share)
    return hit.double().reshape(n, 1000).mean(dim=1)


@given(st.integers(1, 20), st.integers(1, 20), SHARES, SHARES, SHARES)
def test_a_box_is_the_image_shrunk_about_the_centre(height, width, cy, cx, severity):
    """The points decide each of the two ends to 1 / 1000 of a pixel."""
    kept = sd.GrowingBox([cy, cx]).at(severity)(ones(height, width))
    hole = inside(height, cy, severity)[:, None] * inside(width, cx, severity)
    assert (kept[0, 0] - (1 - hole)).abs().max() <= 4e-3
    assert torch.equal(kept[0, 0], kept[0, 1])


@given(SHARES)
def test_the_lost_area_is_that_of_the_box(severity):
    for corruption, lost in (
        (sd.GrowingBox([0.3, 0.9]), severity**2),
        (sd.Outpainting(), 1 - (1 - severity) ** 2),
        (sd.Outpainting(["top"]), severity),
    ):
        kept = corruption.at(severity)(ones(7, 9))[0, 0].mean().item()
        assert abs(kept - (1 - lost)) <= 1e-13


def test_a_box_of_half_the_side_lies_in_the_middle():
    kept = sd.GrowingBox().at(0.5)(ones(8, 12))[0, 0]
    expected = torch.ones(8, 12, dtype=torch.float64)
    expected[2:6, 3:9] = 0
    assert torch.equal(kept, expected)


def test_a_box_may_grow_from_a_corner_and_along_lines_and_volumes():
    kept = sd.GrowingBox([0.0, 1.0]).at(0.5)(ones(4, 6))[0, 0]
    assert torch.equal(kept == 0, torch.arange(4)[:, None].lt(2) & torch.arange(6).ge(3))
    assert sd.GrowingBox().at(0.5)(ones(8)).sum() == 2 * 4
    assert sd.GrowingBox().at(0.5)(ones(8, 4, 4)).sum() == 2 * (128 - 4 * 2 * 2)


@pytest.mark.parametrize("shape", [(5,), (5, 6), (3, 4, 5)])
def test_nothing_is_left_at_the_end(shape):
    for corruption in (sd.GrowingBox(), sd.Outpainting()):
        assert (corruption.at(1.0)(ones(*shape)) == 0).all()
        assert (corruption.at(0.0)(ones(*shape)) == 1).all()


def test_all_sides_close_in_at_once():
    kept = sd.Outpainting().at(0.5)(ones(8, 12))[0, 0]
    expected = torch.zeros(8, 12, dtype=torch.float64)
    expected[2:6, 3:9] = 1
    assert torch.equal(kept, expected)


@pytest.mark.parametrize(
    "sides, rows, columns",
    [
        (["left"], slice(None), slice(4, None)),
        (["right"], slice(None), slice(None, 12)),
        (["top", "left"], slice(2, None), slice(4, None)),
        (["top", "bottom"], slice(1, 7), slice(None)),
        (["bottom", "left", "right"], slice(None, 6), slice(2, 14)),
    ],
)
def test_the_chosen_sides_close_in(sides, rows, columns):
    kept = sd.Outpainting(sides).at(0.25)(ones(8, 16))[0, 0]
    expected = torch.zeros(8, 16, dtype=torch.float64)
    expected[rows, columns] = 1
    assert torch.equal(kept, expected)


def test_depth_is_the_third_axis_from_the_end():
    kept = sd.Outpainting(["front"]).at(0.5)(ones(4, 2, 2))[0, 0]
    assert kept.flatten(1).mean(1).tolist() == [0, 0, 1, 1]
    assert sd.Outpainting(["right"]).at(0.5)(ones(4))[0, 0].tolist() == [1, 1, 0, 0]


@given(SHARES, SHARES)
def test_what_is_gone_stays_gone(a, b):
    low, high = sorted((a, b))
    for corruption in (sd.GrowingBox([0.3, 0.9]), sd.Outpainting(["top", "left"])):
        mild, strong = (corruption.at(severity)(ones(7, 9)) for severity in (low, high))
        assert (strong <= mild + 1e-15).all()


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: sd.GrowingBox([0.5, 1.2]), r"in \[0, 1\], but is \(0.5, 1.2\)"),
        (lambda: sd.GrowingBox([0.5]).at(0.5)(ones(4, 4)), "has 1 coordinates, but .* 2 axes"),
        (lambda: sd.Outpainting([]), r"one or more of left, .*, but are \(\)"),
        (lambda: sd.Outpainting(["north"]), r"one or more of left, .*, but are \('north',\)"),
        (lambda: sd.Outpainting(["top"]).at(0.5)(ones(4)), "1 axes have no side top; they have"),
    ],
)
def test_impossible_arguments_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
