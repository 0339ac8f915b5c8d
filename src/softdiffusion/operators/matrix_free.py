"""Operators given as two functions."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import in_precision_of
from .operator import LinearOperator

__all__ = ["MatrixFree"]

Function = Callable[[Tensor], Tensor]


@checked
class MatrixFree(LinearOperator):
    """An operator given by what it does.

    Arguments:
        forward: Computes `A x` for a batch (B, C, ...). What it returns may be complex.
        adjoint: Computes the adjoint of `forward`; it is trusted, so test it: `<A x, y>` must
            equal `<x, A.T y>`, of complex numbers the real parts of both.
        dtype: The type in which the two compute, for functions with tensors of their own; None
            takes that of the images, which solvers and fits bring in double precision.
    """

    def __init__(
        self, forward: Function, adjoint: Function, dtype: torch.dtype | None = None
    ) -> None:
        self._forward = forward
        self._adjoint = adjoint
        self._dtype = dtype

    def __call__(self, x: Tensor) -> Tensor:
        dtype = self._dtype or x.dtype
        y = self._forward(x.to(dtype.to_complex() if x.is_complex() else dtype))
        return in_precision_of(x, y)

    @property
    def T(self) -> LinearOperator:
        return MatrixFree(self._adjoint, self._forward, self._dtype)
