"""Corruptions given as dense matrices."""

from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import as_real, check_finite, per_sample
from ..operators import Basis, Diagonal, LinearOperator, Matrix
from .corruption import Corruption

__all__ = ["MatrixFamily"]


@checked
class MatrixFamily(Corruption):
    r"""The straight line from the identity to a given matrix, for any corruption one can write out.

    .. math:: C(\text{severity}) = (1 - \text{severity})\, I + \text{severity}\, A

    If A is symmetric, up to rounding, this interpolates its spectrum: the family is diagonal in
    the eigenvectors, :math:`\lambda_k = 1 - \text{severity} + \text{severity}\, \mu_k`, and
    schedules, priors and samplers take their closed forms. The line was chosen over the powers
    :math:`\mu_k^\text{severity}` since it also holds where an eigenvalue is zero (a power would
    jump at severity 0) or negative, and is the same for every other matrix, for which the
    operator is a `Matrix` of its own for every severity.

    Eigenvectors of equal eigenvalues are arbitrary, and are computed anew when a model is loaded;
    a spectrum of the data that was measured in them (`GaussianDenoiser`) is the same on another
    machine only if the eigenvalues differ.

    Arguments:
        matrix: The square matrix A (n, n), which acts on the flattened image.

    Raises:
        ValueError: If the matrix is not square or not finite or, when called, the images hold
            another number of values.
    """

    unit: ClassVar[str] = "share of the way to the matrix"
    max_severity = 1.0
    transform: Basis | None = None

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = check_square("The matrix of a family", matrix)
        if spectrum := symmetric_spectrum(self.matrix):
            self.eigenvalues, vectors = spectrum
            self.transform = Basis(vectors)

    def operator(self, severity: Tensor) -> LinearOperator:
        if self.transform is None:
            return Matrix(line_to(self.matrix, severity))

        def symbol(z: Tensor) -> Tensor:
            share = per_sample(severity, z)
            return 1 - share + share * self.eigenvalues.to(z).reshape(1, *z.shape[1:])

        return Diagonal(self.transform, symbol)


def check_square(name: str, matrix: Tensor) -> Tensor:
    """Returns a matrix that is square and finite, or raises a ValueError that names it."""
    matrix = as_real(name, matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be square, but has shape {tuple(matrix.shape)}.")
    return check_finite(name, matrix)


def line_to(matrix: Tensor, severity: Tensor) -> Tensor:
    r"""The matrix :math:`(1 - \text{severity})\, I + \text{severity}\, A`, or one a sample."""
    matrix = matrix.to(severity.device, torch.promote_types(matrix.dtype, severity.dtype))
    unit = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    share = per_sample(severity, matrix[None])
    return (1 - share) * unit + share * matrix


def symmetric_spectrum(matrix: Tensor) -> tuple[Tensor, Tensor] | None:
    """Eigenvalues and, as rows, eigenvectors of a matrix that is symmetric up to rounding.

    Returns:
        The values (n,) and the vectors (n, n), float64, or None for any other matrix.
    """
    dtype = torch.promote_types(matrix.dtype, torch.float32)
    rounding = torch.finfo(dtype).eps * len(matrix) * matrix.abs().max()
    if (matrix - matrix.mT).abs().max() > rounding:
        return None
    values, vectors = torch.linalg.eigh(matrix.double())
    return values, vectors.mT.contiguous()
