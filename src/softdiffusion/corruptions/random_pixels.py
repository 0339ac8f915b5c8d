"""Pixels that disappear one by one."""

import functools
from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import per_sample
from ..operators import Diagonal, LinearOperator, Pixel
from ..random import generators
from .corruption import Corruption

__all__ = ["RandomPixels"]


@checked
class RandomPixels(Corruption):
    r"""Pixels disappear in a fixed random order; the severity is the share that is gone.

    .. math:: \lambda_i = [\, \text{severity} \le (r_i + \tfrac12) / n \,]

    with the rank :math:`r_i = 0, \dots, n - 1` of pixel i in the order, the same in all channels:
    round(severity * n) pixels are gone. The order is a pure function of the seed and the image's
    height and width (and depth), so that what is gone at s is gone at every t > s as well. At
    severity 1 nothing is left.

    The mask is hard: pixels that reappear between t and s < t have no weight at t in
    `SoftScoreMatching`, nor in `DriftMatched`, so they are never trained there. Train with
    `StepMatched` or `LookAhead`, which see the pixels of the next level.

    Source: the random masks of Daras et al. 2022, Section 5, in a fixed order.

    Arguments:
        seed: The seed of the order, >= 0.

    Raises:
        ValueError: If the seed is negative.
    """

    unit: ClassVar[str] = "share of the pixels that is gone"
    max_severity = 1.0
    transform = Pixel()

    def __init__(self, seed: int = 0) -> None:
        generators(seed, [0])  # raises if it is negative
        self.seed = seed

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            last = seeded_order(self.seed, z.shape[2:]).to(z)[None, None]
            return (last >= per_sample(severity, z)).to(z.dtype)

        return Diagonal(self.transform, symbol)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is first needed while sampling must still serve training
def seeded_order(seed: int, shape: torch.Size) -> Tensor:
    r"""Up to which share each of n coordinates stays, :math:`(r_i + \tfrac12) / n`, float64.

    Its ranks :math:`r_i` are a random permutation, a pure function of the seed and the shape.
    """
    n = shape.numel()
    rank = torch.randperm(n, generator=generators(seed, [0])[0])
    return ((rank.double() + 0.5) / n).reshape(shape)
