"""Linear systems with symmetric positive definite operators."""

import warnings

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import per_sample, shown
from .channel_matrix import ChannelMatrix
from .convolution import Convolution
from .diagonal import Diagonal
from .operator import LinearOperator
from .scale import Scale

__all__ = ["conjugate_gradients", "inner", "solve"]


@checked
def solve(operator: LinearOperator, b: Tensor) -> Tensor:
    """Returns the u with `K u = b` for a symmetric positive definite operator K.

    It is exact where K is diagonal in a transform, a convolution or the same matrix at every pixel,
    and comes from conjugate gradients otherwise.

    Arguments:
        operator: K, which maps the shape of `b` to itself.
        b: The right sides, (B, C, ...).
    """
    if isinstance(operator, Diagonal | Scale | Convolution | ChannelMatrix):
        # A cut-off would drop what a small but known noise still lets through.
        return operator.pinverse(rtol=0.0)(b)
    return conjugate_gradients(operator, b)


@checked
def conjugate_gradients(
    operator: LinearOperator, b: Tensor, iterations: int = 1000, tolerance: float = 1e-5
) -> Tensor:
    r"""Solves `K u = b` for every image of a batch by applications of K alone.

    An image rests once its residual has shrunk to `tolerance` :math:`\lVert b \rVert`, or where K
    is blind to its residual. Without rounding, n iterations solve a system of n numbers, and

    .. math:: k \approx \tfrac12 \sqrt{\kappa}\, \ln(2 / \text{tolerance})

    are enough at the condition number :math:`\kappa`. It computes in double precision where the
    device has it, since in single the residuals of an ill-conditioned system stop shrinking.

    Arguments:
        operator: K, symmetric positive semi-definite.
        b: The right sides, (B, C, ...).
        iterations: The largest number of applications of K.
        tolerance: The norm of the residual, relative to that of `b`, that is small enough.

    Warns:
        RuntimeWarning: If an image has not got there after all iterations.

    Source: Hestenes and Stiefel 1952.
    """
    if b.ndim < 2 or not (b.is_floating_point() or b.is_complex()):
        raise ValueError(f"The right sides b must be images (B, C, ...), not {shown(b)}.")
    wide = torch.float32 if b.device.type == "mps" else torch.float64
    residual = direction = b.to(wide.to_complex() if b.is_complex() else wide)
    u = torch.zeros_like(residual)
    energy = inner(residual, residual)
    goal = tolerance**2 * energy
    for _ in range(iterations):
        image = operator(direction)
        curvature = inner(direction, image)
        moves = (energy > goal) & (curvature > 0)
        if not moves.any():
            break
        length = per_sample(torch.where(moves, energy / curvature, 0.0), u)
        u = u + length * direction
        residual = residual - length * image
        left = inner(residual, residual)
        direction = residual + per_sample(torch.where(moves, left / energy, 0.0), u) * direction
        energy = left
    else:
        _warn_if_far(energy, goal, iterations, tolerance)
    return u.to(b.dtype)


def _warn_if_far(energy: Tensor, goal: Tensor, iterations: int, tolerance: float) -> None:
    if (energy > goal).any():
        worst = tolerance * float((energy / goal).max().sqrt())
        warnings.warn(
            f"Conjugate gradients stopped after {iterations} iterations at a relative residual of "
            f"{worst:.1e} instead of {tolerance:.0e}: the system is nearly singular; a larger "
            "measurement noise makes it easier.",
            RuntimeWarning,
            stacklevel=3,
        )


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of every pair of images, of complex ones its real part, (B,)."""
    product = a * b if not a.is_complex() else (a.conj() * b).real
    return product.flatten(1).sum(dim=1)
