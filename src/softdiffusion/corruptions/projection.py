"""Compressed sensing."""

from typing import ClassVar

from torch import Tensor

from ..arguments import checked
from ..checks import per_sample
from ..operators import Diagonal, LinearOperator, RandomBasis
from .corruption import Corruption
from .random_pixels import seeded_order

__all__ = ["RandomProjection"]


@checked
class RandomProjection(Corruption):
    r"""Projects onto a random subspace; the severity is the share of the directions that is gone.

    .. math:: C = T^\top \operatorname{diag}(\lambda)\, T, \qquad
        \lambda_i = [\, \text{severity} \le (r_i + \tfrac12) / n \,]

    with the fast random orthonormal basis T of `RandomBasis` and the rank r of its n coefficients,
    all channels together, in a random order: the directions disappear one by one, and the subspace
    at s contains the one at every t > s. It is the symmetric form :math:`A^\top A` of compressed
    sensing with m = n - round(severity * n) orthonormal measurements A. Basis and order are pure
    functions of the seed and the image's shape (C, ...). At severity 1 nothing is left.

    Directions that reappear between t and s < t have no weight at t in `SoftScoreMatching`, nor in
    `DriftMatched`; train with `StepMatched` or `LookAhead`, which see those of the next level.

    Source: Candès, Romberg and Tao 2006 for the task.

    Arguments:
        seed: The seed of basis and order, >= 0.

    Raises:
        ValueError: If the seed is negative.
    """

    unit: ClassVar[str] = "share of the directions that is gone"
    max_severity = 1.0
    transform: RandomBasis

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.transform = RandomBasis(seed)

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            last = seeded_order(self.seed, z.shape[1:]).to(z)[None]
            return (last >= per_sample(severity, z)).to(z.dtype)

        return Diagonal(self.transform, symbol)
