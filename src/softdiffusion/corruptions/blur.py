"""Blurs."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from ..checks import per_sample
from ..operators import DCT, Diagonal, LinearOperator
from .corruption import Corruption

__all__ = ["GaussianBlur"]


class GaussianBlur(Corruption):
    r"""Gaussian blur whose severity is the kernel's standard deviation in pixels.

    The image is mirrored about its borders (half-sample symmetric), which makes the blur exact
    and diagonal in the DCT-II, with the transfer function of the continuous Gaussian

    .. math:: \lambda_k = \exp(-\tfrac12 \text{severity}^2 \lVert \omega_k \rVert^2),
        \qquad \omega_k = \pi k / n

    on each axis of n pixels. The mean of every channel is kept at every severity.

    Source: Daras et al. 2022, Section 5; they leave the boundary open.
    """

    unit: ClassVar[str] = "std in pixels"
    transform = DCT()

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            std = per_sample(severity, z)
            return torch.exp(-0.5 * std**2 * squared_frequencies(z))

        return Diagonal(self.transform, symbol)


def squared_frequencies(z: Tensor) -> Tensor:
    r"""Returns :math:`\lVert \pi k / n \rVert^2` for every DCT coefficient, shape (1, 1, ...)."""
    total = z.new_zeros(())
    for axis in range(2, z.ndim):
        n = z.shape[axis]
        omega = torch.arange(n, dtype=z.dtype, device=z.device) * (math.pi / n)
        total = total + (omega**2).reshape(-1, *(1,) * (z.ndim - 1 - axis))
    return total[None, None]
