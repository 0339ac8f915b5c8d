"""Operators given as two functions."""

from collections.abc import Callable

from torch import Tensor

from .operator import LinearOperator

__all__ = ["MatrixFree"]

Function = Callable[[Tensor], Tensor]


class MatrixFree(LinearOperator):
    """An operator given by what it does.

    Arguments:
        forward: Computes `A x` for a batch (B, C, ...).
        adjoint: Computes the adjoint of `forward`; it is trusted, so test it: `<A x, y>` must
            equal `<x, A.T y>`.
    """

    def __init__(self, forward: Function, adjoint: Function) -> None:
        self._forward = forward
        self._adjoint = adjoint

    def __call__(self, x: Tensor) -> Tensor:
        return self._forward(x)

    @property
    def T(self) -> LinearOperator:
        return MatrixFree(self._adjoint, self._forward)
