import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd

SEEDS = st.integers(0, 1000)


def kept(corruption: sd.Corruption, severity: float, *shape: int) -> torch.Tensor:
    return corruption.at(severity)(torch.ones(1, 2, *shape, dtype=torch.float64))


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1), SEEDS)
def test_the_severity_is_the_share_that_is_gone(height, width, severity, seed):
    gone = 1 - kept(sd.RandomPixels(seed), severity, height, width)
    assert torch.equal(gone[0, 0], gone[0, 1])
    assert abs(gone[0, 0].sum().item() - severity * height * width) <= 0.5 + 1e-9


@given(st.floats(0, 1), st.floats(0, 1), SEEDS)
def test_what_is_gone_stays_gone(a, b, seed):
    low, high = sorted((a, b))
    mild, strong = (kept(sd.RandomPixels(seed), severity, 6, 5) for severity in (low, high))
    assert (strong <= mild).all()


@pytest.mark.parametrize("shape", [(7,), (5, 6), (2, 3, 4)])
def test_everything_is_there_at_first_and_nothing_at_last(shape):
    assert (kept(sd.RandomPixels(), 0.0, *shape) == 1).all()
    assert (kept(sd.RandomPixels(), 1.0, *shape) == 0).all()


def test_the_order_depends_on_seed_and_size_alone():
    torch.manual_seed(0)
    first = kept(sd.RandomPixels(3), 0.5, 8, 8)
    torch.manual_seed(1)
    assert torch.equal(kept(sd.RandomPixels(3), 0.5, 8, 8), first)
    assert not torch.equal(kept(sd.RandomPixels(4), 0.5, 8, 8), first)


def test_no_region_is_preferred():
    """Half of each quarter is gone: hypergeometric, of standard deviation 6.9 for 256 of 1,024."""
    gone = 1 - kept(sd.RandomPixels(), 0.5, 32, 32)[0, 0]
    for quarter in (gone[:16, :16], gone[16:, :16], gone[:16, 16:], gone[16:, 16:]):
        assert abs(quarter.sum().item() - 128) <= 4 * 6.9


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match=r"must lie in \[0, 2\^32\), but one is -1"):
        sd.RandomPixels(-1)
