"""Operators that are diagonal in an orthonormal transform."""

from collections.abc import Callable
from typing import TypeGuard

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_batch
from .operator import LinearOperator
from .scale import Scale
from .transforms import Transform

__all__ = ["Diagonal", "Symbol"]

#: The diagonal as a function of the coefficients z that it will multiply. Only their shape,
#: dtype and device are read; the result broadcasts against them.
Symbol = Callable[[Tensor], Tensor]


@checked
class Diagonal(LinearOperator):
    r"""The operator :math:`A = T^{-1} \operatorname{diag}(\lambda)\, T`, with a real diagonal.

    The diagonal is a function of the shape that the operator meets, so one operator serves
    images of every size.

    Arguments:
        transform: The orthonormal transform :math:`T`.
        symbol: Gives :math:`\lambda` for the coefficients it is shown; a first axis of length B
            means one operator a sample.
    """

    def __init__(self, transform: Transform, symbol: Symbol) -> None:
        self.transform = transform
        self.symbol = symbol

    def __call__(self, x: Tensor) -> Tensor:
        z = self.transform.forward(x.to(torch.promote_types(x.dtype, torch.float32)))
        return self.transform.inverse(self.diagonal(z) * z).to(x.dtype)

    def diagonal(self, z: Tensor) -> Tensor:
        r"""Returns :math:`\lambda`, shaped to multiply the coefficients `z`.

        Raises:
            ValueError: If the operator is for another number of samples than `z` holds.
        """
        diagonal = self.symbol(z)
        check_batch(len(diagonal), len(z))
        return diagonal

    @property
    def T(self) -> LinearOperator:
        return self

    def pinverse(self, rtol: float | None = None) -> LinearOperator:
        def inverse(z: Tensor) -> Tensor:
            d = self.symbol(z)
            n = z[0].numel()
            cut = n * torch.finfo(d.dtype).eps if rtol is None else rtol
            largest = d.abs().amax(dim=tuple(range(1, d.ndim)), keepdim=True)
            return torch.where(d.abs() > cut * largest, 1 / d, 0.0)

        return Diagonal(self.transform, inverse)

    def sqrt(self, rounding: float = 0.0) -> LinearOperator:
        def root(z: Tensor) -> Tensor:
            d = self.symbol(z)
            if (d < -rounding).any():
                raise ValueError(f"A square root needs a spectrum >= 0, but it has {d.min():g}.")
            return d.clamp(min=0).sqrt()

        return Diagonal(self.transform, root)

    def _plus(self, other: LinearOperator) -> LinearOperator | None:
        if self._shares_basis_with(other):
            return Diagonal(self.transform, lambda z: self.symbol(z) + other.diagonal(z))
        return None

    def _times(self, other: LinearOperator) -> LinearOperator | None:
        if self._shares_basis_with(other):
            return Diagonal(self.transform, lambda z: self.symbol(z) * other.diagonal(z))
        return None

    _after = _times  # diagonal operators in one basis commute

    def _shares_basis_with(self, other: LinearOperator) -> "TypeGuard[Diagonal | Scale]":
        same = isinstance(other, Diagonal) and other.transform == self.transform
        return same or isinstance(other, Scale)
