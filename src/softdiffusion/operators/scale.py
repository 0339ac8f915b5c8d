"""Multiples of the identity, which are diagonal in every transform."""

import numpy as np
import torch
from torch import Tensor

from ..checks import check_finite, is_traced, per_sample, shown
from .operator import LinearOperator

__all__ = ["Scale", "identity"]


class Scale(LinearOperator):
    r"""The operator :math:`c\,I`.

    Arguments:
        factor: A number, or one number a sample, shape (B,).

    Raises:
        TypeError: If the factor is neither.
        ValueError: If it has more than one axis, or is not real and finite in single precision.
    """

    def __init__(self, factor: float | Tensor) -> None:
        if not isinstance(factor, Tensor):
            # Products and inverses go beyond the largest argument, but not beyond the precision.
            if isinstance(factor, bool) or not isinstance(factor, int | float | np.number):
                raise TypeError(f"A factor must be a number or a tensor, but is {shown(factor)}.")
            if not abs(factor) <= torch.finfo(torch.float32).max:
                raise ValueError(
                    f"A factor must be finite in single precision, but is {shown(factor)}."
                )
        elif factor.ndim > 1:
            raise ValueError(
                "A factor must be a number or one number a sample, shape (B,), but has shape "
                f"{tuple(factor.shape)}."
            )
        elif factor.is_complex() or factor.dtype == torch.bool:
            raise ValueError(f"A factor must be real, but has the type {factor.dtype}.")
        elif factor.device.type == "cpu" and not is_traced():
            check_finite("A factor", factor.detach().float())
        self.factor = factor

    def __call__(self, x: Tensor) -> Tensor:
        return (self.diagonal(x) * x).to(x.dtype)

    def diagonal(self, z: Tensor) -> Tensor:
        """The factor, shaped to multiply the coefficients `z` in any transform."""
        return per_sample(self.factor, z)

    @property
    def T(self) -> LinearOperator:
        return self

    def pinverse(self, rtol: float | None = None) -> LinearOperator:
        factor = self._exact_factor
        return Scale(torch.where(factor == 0, 0.0, 1 / factor))

    def sqrt(self, rounding: float = 0.0) -> LinearOperator:
        factor = self._exact_factor
        if (factor < -rounding).any():
            raise ValueError(f"A square root needs factors >= 0, but one is {factor.min():g}.")
        return Scale(factor.clamp(min=0).sqrt())

    @property
    def _exact_factor(self) -> Tensor:
        """The factor as a tensor; a plain number keeps its double precision."""
        if isinstance(self.factor, Tensor):
            return self.factor
        return torch.tensor(self.factor, dtype=torch.float64)

    def _plus(self, other: LinearOperator) -> LinearOperator | None:
        return Scale(self.factor + other.factor) if isinstance(other, Scale) else None

    def _times(self, other: LinearOperator) -> LinearOperator | None:
        return Scale(self.factor * other.factor) if isinstance(other, Scale) else None


def identity() -> Scale:
    """The operator that changes nothing."""
    return Scale(1.0)
