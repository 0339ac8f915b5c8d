"""Operators from other libraries."""

from itertools import chain
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..arguments import checked
from .matrix_free import MatrixFree

__all__ = ["Physics", "from_physics"]


@runtime_checkable
class Physics(Protocol):
    """What the linear operators of the library deepinv offer (`deepinv.physics.LinearPhysics`)."""

    def A(self, x: Tensor) -> Tensor:
        """The noiseless measurement of a batch (B, C, ...)."""

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The adjoint of `A`."""


@checked
def from_physics(physics: Physics) -> MatrixFree:
    """The linear operator of a deepinv physics, or of any object with its two methods.

    Only `A` and `A_adjoint` are called, so neither its noise model nor deepinv itself is needed.
    A physics that is a module computes in the type of its tensors. Measurements may be complex;
    images are real, so that of a complex adjoint the real part is taken.

    Arguments:
        physics: The physics. Its adjoint is trusted, so test it, as `MatrixFree` says.
    """

    def adjoint(y: Tensor) -> Tensor:
        x = physics.A_adjoint(y)
        return x.real if x.is_complex() else x

    return MatrixFree(physics.A, adjoint, dtype_of(physics))


def dtype_of(physics: Physics) -> torch.dtype | None:
    """The type of the real tensors that a module holds; None if there are none."""
    if not isinstance(physics, nn.Module):
        return None
    tensors = chain(physics.parameters(), physics.buffers())
    return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), None)
