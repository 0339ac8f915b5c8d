"""The Haar transform, whose coarse coefficients are the means of blocks."""

import functools
import math

import torch
from torch import Tensor

from .transforms import Transform, along

__all__ = ["Haar"]


class Haar(Transform):
    r"""The orthonormal Haar transform of axes of any length.

    On an axis of n pixels, blocks of :math:`2^l` pixels are nested for :math:`l = 0, 1, \dots`;
    the last block of a level may be shorter, and the one block of level
    :math:`\lceil \log_2 n \rceil` holds the whole axis. The first coefficient is the mean of the
    axis times :math:`\sqrt n`. Every block that consists of two, of a and b pixels, adds one: the
    difference of their means times :math:`\sqrt{a b / (a + b)}`, from the coarsest level to the
    finest. So the average over blocks of level l keeps the coefficients of all coarser
    differences and removes the others: it is a diagonal projection.

    Along several axes it is the product of the transforms of each (the standard decomposition).
    Each axis is one matrix product. Source: Haar 1910, with ragged blocks added.
    """

    def forward(self, x: Tensor) -> Tensor:
        for axis in range(2, x.ndim):
            x = along(axis, _matrix(x.shape[axis], x.dtype, x.device), x)
        return x

    def inverse(self, z: Tensor) -> Tensor:
        for axis in range(2, z.ndim):
            z = along(axis, _matrix(z.shape[axis], z.dtype, z.device).T, z)
        return z


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is first needed while sampling must still serve training
def haar_levels(n: int) -> Tensor:
    r"""The level of every coefficient of an axis of n pixels: infinite for the mean, (n,).

    A coefficient of level l compares two neighbouring blocks of :math:`2^{l-1}` pixels, so the
    average over blocks of :math:`2^l` pixels removes it, and the one over smaller blocks does not.
    """
    levels = [math.inf, *(float(level) for level, *_ in _pairs(n))]
    return torch.tensor(levels, dtype=torch.float64)


def _pairs(n: int) -> list[tuple[int, int, int, int]]:
    """Level, start, middle and end of every block that consists of two, the coarsest first."""
    coarsest = (n - 1).bit_length()
    return [
        (level, start, start + 2 ** (level - 1), min(start + 2**level, n))
        for level in range(coarsest, 0, -1)
        for start in range(0, n - 2 ** (level - 1), 2**level)
    ]


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _matrix(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    matrix = torch.zeros(n, n, dtype=torch.float64)
    matrix[0] = math.sqrt(1 / n)
    for row, (_, start, middle, end) in enumerate(_pairs(n), start=1):
        a, b = middle - start, end - middle
        matrix[row, start:middle] = math.sqrt(b / (a * (a + b)))
        matrix[row, middle:end] = -math.sqrt(a / (b * (a + b)))
    return matrix.to(dtype=dtype, device=device)
