"""Operators given as explicit matrices."""

import math

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import as_real, check_batch, per_sample, shown
from .operator import LinearOperator
from .scale import Scale

__all__ = ["DensePseudoInverse", "Matrix"]

#: Beyond this many coordinates a pseudo-inverse by singular values takes minutes and gigabytes.
_LARGEST_DENSE = 4096

Shape = tuple[int, ...]


@checked
class Matrix(LinearOperator):
    """A dense matrix that acts on the flattened image.

    Arguments:
        matrix: The matrix (m, n), or one a sample, (B, m, n).
        shape_in: The shape (C, ...) of an input image; None means that a square matrix keeps
            the shape of what it is given.
        shape_out: The shape of an output image, likewise.

    Raises:
        ValueError: If the sizes do not fit, or a rectangular matrix comes without shapes.
    """

    def __init__(
        self, matrix: Tensor, shape_in: Shape | None = None, shape_out: Shape | None = None
    ) -> None:
        matrix = as_real("The matrix", matrix)
        if matrix.ndim not in (2, 3):
            raise ValueError(f"The matrix must be (m, n) or (B, m, n), not {shown(matrix)}.")
        m, n = matrix.shape[-2:]
        if m != n and (shape_in is None or shape_out is None):
            raise ValueError(
                f"A rectangular matrix, here {m} x {n}, needs both shape_in and shape_out."
            )
        for name, shape, size in (("shape_in", shape_in, n), ("shape_out", shape_out, m)):
            if shape is not None and math.prod(shape) != size:
                raise ValueError(f"{name} {shape} does not hold the matrix's {size} coordinates.")
        self.matrix = matrix
        self.shape_in = shape_in
        self.shape_out = shape_out

    def __call__(self, x: Tensor) -> Tensor:
        n = self.matrix.shape[-1]
        if x[0].numel() != n:
            raise ValueError(
                f"The matrix takes images of {n} numbers, but got images of shape "
                f"{tuple(x.shape[1:])}."
            )
        check_batch(len(self._batch), len(x))
        dtype = torch.promote_types(x.dtype, torch.float32)
        matrix = self.matrix.to(dtype=dtype, device=x.device)
        with torch.autocast(x.device.type, enabled=False):
            y = (matrix @ x.to(dtype).flatten(1).unsqueeze(-1)).squeeze(-1)
        return y.reshape(-1, *(self.shape_out or x.shape[1:])).to(x.dtype)

    @property
    def T(self) -> LinearOperator:
        return Matrix(self.matrix.mT, self.shape_out, self.shape_in)

    def pinverse(self, rtol: float | None = None) -> LinearOperator:
        inverse = torch.linalg.pinv(self._wide, rtol=rtol)
        return Matrix(inverse, self.shape_out, self.shape_in)

    def sqrt(self, rounding: float = 0.0) -> LinearOperator:
        values, vectors = torch.linalg.eigh(self._wide)
        asymmetry = (self.matrix - self.matrix.mT).abs().max()
        own = torch.finfo(values.dtype).eps * values.shape[-1] * values.abs().max()
        noise = own + rounding
        if asymmetry > noise or values.min() < -noise:
            raise ValueError(
                "A square root needs a symmetric matrix with eigenvalues >= 0, but its asymmetry "
                f"is {asymmetry:g} and its smallest eigenvalue {values.min():g}."
            )
        root = vectors * values.clamp(min=0).sqrt().unsqueeze(-2) @ vectors.mT
        return Matrix(root, self.shape_in, self.shape_out)

    def _plus(self, other: LinearOperator) -> LinearOperator | None:
        if isinstance(other, Matrix):
            shape_in = self.shape_in or other.shape_in
            shape_out = self.shape_out or other.shape_out
            return Matrix(self.matrix + other.matrix, shape_in, shape_out)
        if isinstance(other, Scale) and self.matrix.shape[-1] == self.matrix.shape[-2]:
            unit = torch.eye(self.matrix.shape[-1]).to(self.matrix)
            return self._with(self.matrix + per_sample(other.factor, unit[None]) * unit)
        return None

    def _times(self, other: LinearOperator) -> LinearOperator | None:
        if isinstance(other, Matrix):
            # A matrix without a shape keeps the one that its partner gives or wants.
            shape_in = other.shape_in or self.shape_in
            shape_out = self.shape_out or other.shape_out
            dtype = torch.promote_types(self.matrix.dtype, other.matrix.dtype)
            product = self.matrix.to(dtype) @ other.matrix.to(dtype)
            return Matrix(product, shape_in, shape_out)
        return self._after(other)

    def _after(self, other: LinearOperator) -> LinearOperator | None:
        if isinstance(other, Scale):
            return self._with(per_sample(other.factor, self._batch) * self.matrix)
        return None

    @property
    def _batch(self) -> Tensor:
        """The matrices as a batch (B, m, n)."""
        return self.matrix.reshape(-1, *self.matrix.shape[-2:])

    @property
    def _wide(self) -> Tensor:
        """The matrix in a precision that the solvers know."""
        return self.matrix.to(torch.promote_types(self.matrix.dtype, torch.float32))

    def _with(self, matrix: Tensor) -> "Matrix":
        return Matrix(matrix, self.shape_in, self.shape_out)


class DensePseudoInverse(LinearOperator):
    """The pseudo-inverse of any operator, by writing it out and taking singular values.

    Arguments:
        operator: The operator to invert.
        rtol: The relative cut-off (see `LinearOperator.pinverse`).

    Raises:
        ValueError: When applied to images of more than 4,096 numbers.
    """

    def __init__(self, operator: LinearOperator, rtol: float | None) -> None:
        self.operator = operator
        self.rtol = rtol

    def __call__(self, y: Tensor) -> Tensor:
        shape_in = tuple(self.operator.T(y[:1]).shape[1:])
        n = torch.Size(shape_in).numel()
        if n > _LARGEST_DENSE:
            raise ValueError(
                f"The pseudo-inverse of a {type(self.operator).__name__} is computed densely, "
                f"which is refused above {_LARGEST_DENSE} coordinates, but the image has {n}; "
                "solve the normal equations iteratively instead."
            )
        dtype = torch.promote_types(y.dtype, torch.float32)
        matrix = self.operator.to_matrix(shape_in, dtype, y.device)
        return Matrix(matrix, shape_in, tuple(y.shape[1:])).pinverse(self.rtol)(y)

    @property
    def T(self) -> LinearOperator:
        return self.operator.T.pinverse(self.rtol)
