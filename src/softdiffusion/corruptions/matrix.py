"""Corruptions given as dense matrices."""

from typing import ClassVar

import torch
from torch import Tensor

from ..checks import check_finite, per_sample
from ..operators import LinearOperator, Matrix
from .corruption import Corruption

__all__ = ["MatrixFamily"]


class MatrixFamily(Corruption):
    r"""The straight line from the identity to a given matrix, for any corruption one can write out.

    .. math:: C(\text{severity}) = (1 - \text{severity})\, I + \text{severity}\, A

    Arguments:
        matrix: The square matrix A (n, n), which acts on the flattened image.

    Raises:
        ValueError: If the matrix is not square or not finite.
    """

    unit: ClassVar[str] = "share of the way to the matrix"
    max_severity = 1.0

    def __init__(self, matrix: Tensor) -> None:
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(
                f"The matrix of a family must be square, but has shape {tuple(matrix.shape)}."
            )
        self.matrix = check_finite("The matrix", matrix)

    def operator(self, severity: Tensor) -> LinearOperator:
        matrix = self.matrix.to(
            severity.device, torch.promote_types(self.matrix.dtype, severity.dtype)
        )
        unit = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        share = per_sample(severity, matrix[None])
        return Matrix((1 - share) * unit + share * matrix)
