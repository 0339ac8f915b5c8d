import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.operators import Haar
from softdiffusion.operators.haar import haar_levels


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def block_means(x: np.ndarray, size: int) -> np.ndarray:
    """Every pixel of a line becomes the mean of its block; the last block may be shorter."""
    return np.concatenate(
        [np.full(len(b), b.mean()) for b in np.split(x, range(size, len(x), size))]
    )


@given(st.integers(1, 70), st.integers(0, 8))
def test_block_averages_keep_the_coarser_coefficients_and_no_others(n, level):
    x = normal(1, 1, n)
    z = Haar().forward(x)
    averaged = Haar().inverse(torch.where(haar_levels(n) > level, z, 0.0))
    expected = block_means(x.flatten().numpy(), 2**level)
    assert np.abs(averaged.flatten().numpy() - expected).max() <= 1e-13


@given(st.integers(1, 10))
def test_powers_of_two_give_the_classic_transform(k):
    """Steps of (a + b) / sqrt 2 and (a - b) / sqrt 2, the differences of each step in front."""
    x = normal(1, 1, 2**k)
    rest, details = x.flatten().numpy(), []
    while len(rest) > 1:
        details.insert(0, (rest[::2] - rest[1::2]) / math.sqrt(2))
        rest = (rest[::2] + rest[1::2]) / math.sqrt(2)
    expected = np.concatenate([rest, *details])
    assert np.abs(Haar().forward(x).flatten().numpy() - expected).max() <= 1e-12


@pytest.mark.parametrize(
    "n, levels", [(1, []), (2, [1]), (3, [2, 1]), (5, [3, 2, 1, 1]), (6, [3, 2, 1, 1, 1])]
)
def test_every_block_of_two_has_one_coefficient(n, levels):
    assert haar_levels(n).tolist() == [math.inf, *levels]


def test_axes_are_transformed_one_by_one():
    x = normal(2, 3, 5, 4)
    rows = Haar().forward(x.reshape(2, 15, 4).reshape(-1, 1, 4)).reshape(2, 3, 5, 4)
    both = Haar().forward(rows.mT.reshape(-1, 1, 5)).reshape(2, 3, 4, 5).mT
    assert torch.allclose(Haar().forward(x), both, rtol=0, atol=1e-14)
