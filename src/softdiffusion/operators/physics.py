"""Operators from other libraries."""

from typing import Protocol

from torch import Tensor

from .matrix_free import MatrixFree

__all__ = ["Physics", "from_physics"]


class Physics(Protocol):
    """What the linear operators of the library deepinv offer (`deepinv.physics.LinearPhysics`)."""

    def A(self, x: Tensor) -> Tensor:
        """The noiseless measurement of a batch (B, C, ...)."""

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The adjoint of `A`."""


def from_physics(physics: Physics) -> MatrixFree:
    """The linear operator of a deepinv physics, or of any object with its two methods.

    Only `A` and `A_adjoint` are called, so neither its noise model nor deepinv itself is needed.

    Arguments:
        physics: The physics. Its adjoint is trusted, so test it, as `MatrixFree` says.
    """
    return MatrixFree(physics.A, physics.A_adjoint)
