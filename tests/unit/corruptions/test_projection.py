import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd

SHAPE = (2, 3, 5)
N = 30


def matrix(severity: float, seed: int = 0) -> torch.Tensor:
    return sd.RandomProjection(seed).at(severity).to_matrix(SHAPE)[0]


@given(st.floats(0, 1), st.integers(0, 100))
def test_it_is_an_orthogonal_projection_of_the_rank_that_is_left(severity, seed):
    P = matrix(severity, seed)
    assert torch.allclose(P, P.T, rtol=0, atol=1e-14)
    assert torch.allclose(P @ P, P, rtol=0, atol=1e-13)
    assert abs(P.trace().item() - N * (1 - severity)) <= 0.5 + 1e-9


@given(st.floats(0, 1), st.floats(0, 1))
def test_subspaces_are_nested(a, b):
    low, high = sorted((a, b))
    large, small = matrix(low), matrix(high)
    assert torch.allclose(large @ small, small, rtol=0, atol=1e-13)


def test_everything_is_there_at_first_and_nothing_at_last():
    assert torch.allclose(matrix(0.0), torch.eye(N, dtype=torch.float64), rtol=0, atol=1e-14)
    assert matrix(1.0).abs().max() == 0


def test_every_image_keeps_about_its_share_of_power():
    """A line and a constant, which a DCT alone would keep or lose as a whole.

    The squared length of a projection onto m = 512 of n = 1,024 random directions has the mean
    m / n and the standard deviation sqrt(2 m (n - m) / n^3) = 0.022 for a generic image.
    """
    constant = torch.ones(1, 1, 32, 32, dtype=torch.float64)
    line = torch.zeros_like(constant)
    line[..., 16, :] = 1
    for x in (constant, line):
        kept = sd.RandomProjection().at(0.5)(x).square().sum() / x.square().sum()
        assert abs(kept.item() - 0.5) <= 5 * 0.022


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match=r"must lie in \[0, 2\^32\), but one is -1"):
        sd.RandomProjection(-1)
