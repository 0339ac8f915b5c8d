"""Multiples of the identity, which are diagonal in every transform."""

import torch
from torch import Tensor

from ..checks import per_sample
from .operator import LinearOperator

__all__ = ["Scale", "identity"]


class Scale(LinearOperator):
    r"""The operator :math:`c\,I`.

    Arguments:
        factor: A number, or one number a sample, shape (B,).

    Raises:
        ValueError: If the factor has more than one axis.
    """

    def __init__(self, factor: float | Tensor) -> None:
        if isinstance(factor, Tensor) and factor.ndim > 1:
            raise ValueError(
                "A factor must be a number or one number a sample, shape (B,), but has shape "
                f"{tuple(factor.shape)}."
            )
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
