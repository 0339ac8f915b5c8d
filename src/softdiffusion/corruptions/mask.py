"""Masks."""

from typing import ClassVar

import torch
from torch import Tensor

from ..checks import per_sample
from ..operators import Diagonal, LinearOperator, Pixel
from .corruption import Corruption

__all__ = ["FadingMask"]


class FadingMask(Corruption):
    r"""A soft hole that grows from the centre; its severity is the hole's standard deviation.

    .. math:: \lambda(r) = 1 - \exp(-r^2 / (2\, \text{severity}^2))

    with :math:`r^2` the mean squared distance, in pixels, between the image's centre and the
    pixel's area. Everything fades as the severity grows: nothing is left in the limit.

    Source: the soft version of the inpainting mask of Bansal et al. 2022 (Cold Diffusion).
    """

    unit: ClassVar[str] = "std of the hole in pixels"
    transform = Pixel()

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            # A hole of 1e-6 pixels hides nothing; the limit keeps the derivative at 0 finite.
            std = per_sample(severity, z).clamp(min=1e-6)
            # expm1 keeps the relative accuracy where the mask is nearly closed.
            return -torch.expm1(-squared_radius(z) / (2 * std**2))

        return Diagonal(self.transform, symbol)


def squared_radius(z: Tensor) -> Tensor:
    """The mean squared distance from the centre over the area of every pixel, (1, 1, ...)."""
    total = z.new_zeros(())
    for axis in range(2, z.ndim):
        n = z.shape[axis]
        offset = torch.arange(n, dtype=z.dtype, device=z.device) - (n - 1) / 2
        # 1/12 is the variance of a position within its pixel; it also keeps r > 0.
        total = total + (offset**2 + 1 / 12).reshape(-1, *(1,) * (z.ndim - 1 - axis))
    return total[None, None]
