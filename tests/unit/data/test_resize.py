import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.data.resize import area_average, framed


@st.composite
def shrinkings(draw):
    old = draw(st.integers(1, 24))
    new = draw(st.integers(1, old))
    seed = draw(st.integers(0, 2**32))
    images = torch.randn(2, 3, old, old, dtype=torch.float64, generator=_generator(seed))
    return images, new


def _generator(seed):
    return torch.Generator().manual_seed(seed)


@given(shrinkings())
def test_equals_repeat_and_box_average(case):
    """Repeating each pixel `new` times makes every new pixel a box of whole pixels."""
    images, new = case
    old = images.shape[-1]
    fine = images.repeat_interleave(new, -1).repeat_interleave(new, -2)
    expected = fine.unfold(-2, old, old).unfold(-2, old, old).mean((-1, -2))
    assert torch.allclose(area_average(images, new), expected, rtol=0, atol=1e-13)


@given(shrinkings())
def test_keeps_the_mean_and_the_range(case):
    images, new = case
    small = area_average(images, new)
    assert small.shape == (2, 3, new, new)
    assert torch.allclose(small.mean((-1, -2)), images.mean((-1, -2)), rtol=0, atol=1e-13)
    assert small.max() <= images.max() + 1e-13
    assert small.min() >= images.min() - 1e-13


@pytest.mark.parametrize(("shape", "size"), [((8, 8), 9), ((8, 8), 0), ((8, 6), 4)])
def test_refuses_to_grow_or_to_stretch(shape, size):
    with pytest.raises(ValueError, match="can't be averaged"):
        area_average(torch.zeros(1, 1, *shape), size)


@pytest.mark.parametrize("size", [5, 6, 8, 9])
def test_a_frame_is_black_around_the_untouched_image(size):
    images = torch.rand(2, 3, 5, 5, generator=_generator(0))
    large = framed(images, size)
    before = (size - 5) // 2
    inside = slice(before, before + 5)
    assert large.shape == (2, 3, size, size)
    assert torch.equal(large[..., inside, inside], images)
    large[..., inside, inside] = -1.0
    assert (large == -1).all()


def test_a_frame_never_cuts():
    with pytest.raises(ValueError, match="5 x 4 don't fit into a frame of 4 x 4"):
        framed(torch.zeros(1, 1, 5, 4), 4)
