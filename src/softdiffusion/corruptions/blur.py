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
            # Axis by axis: H + W exponentials instead of H W, few of which underflow (slowly).
            spectrum = torch.ones((), dtype=z.dtype, device=z.device)
            for omega in frequencies(z):
                spectrum = spectrum * torch.exp(-0.5 * std**2 * omega**2)
            return spectrum

        return Diagonal(self.transform, symbol)


def frequencies(z: Tensor) -> list[Tensor]:
    r"""Returns :math:`\omega_k = \pi k / n` of each axis of n pixels, shaped to multiply `z`."""

    def along(axis: int) -> Tensor:
        n = z.shape[axis]
        k = torch.arange(n, dtype=z.dtype, device=z.device)
        return (math.pi / n * k).reshape(1, 1, *(n if a == axis else 1 for a in range(2, z.ndim)))

    return [along(axis) for axis in range(2, z.ndim)]
