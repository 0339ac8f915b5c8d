"""Blurs with Gaussian kernels."""

from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_range, per_sample
from ..operators import DCT, Diagonal, Hartley, LinearOperator, Transform
from .corruption import Corruption
from .frequencies import (
    along,
    frequencies,
    periodic_frequencies,
    point_symmetric,
    squared_norm,
)

__all__ = ["AnisotropicBlur", "GaussianBlur", "HeatKernel"]


class GaussianBlur(Corruption):
    r"""Gaussian blur whose severity is the kernel's standard deviation in pixels.

    The image is mirrored about its borders (half-sample symmetric), which makes the blur exact
    and diagonal in the DCT-II, with the transfer function of the continuous Gaussian

    .. math:: \lambda_k = \exp(-\tfrac12 \text{severity}^2 \lVert \omega_k \rVert^2),
        \qquad \omega_k = \pi k / n

    on each axis of n pixels. The mean of every channel is kept at every severity; a severity of n,
    the longer side, leaves 1 % of the slowest variation.

    Source: Daras et al. 2022, Section 5; they leave the boundary open.
    """

    unit: ClassVar[str] = "std in pixels"
    transform = DCT()

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            return _gaussian(z, 0.5 * per_sample(severity, z) ** 2)

        return Diagonal(self.transform, symbol)


class HeatKernel(Corruption):
    r"""The heat equation, run for a time: the severity is the diffusion time in square pixels.

    .. math:: \lambda_k = \exp(-\text{severity} \lVert \omega_k \rVert^2),
        \qquad \omega_k = \pi k / n

    on each axis of n pixels: the solution of :math:`\partial u / \partial \tau = \Delta u` with
    no flow through the borders, which is `GaussianBlur` with a standard deviation of
    :math:`\sqrt{2\, \text{severity}}` pixels. The mean is kept at every severity; a severity of
    :math:`n^2 / 2`, with the longer side n, leaves 1 % of the slowest variation.

    Source: Rissanen et al. 2023, Generative modelling with inverse heat dissipation, Section 3.
    """

    unit: ClassVar[str] = "diffusion time in square pixels"
    transform = DCT()

    def operator(self, severity: Tensor) -> LinearOperator:
        return Diagonal(self.transform, lambda z: _gaussian(z, per_sample(severity, z)))


@checked
class AnisotropicBlur(Corruption):
    r"""Gaussian blur that is wider along one direction than across it.

    The severity is the kernel's standard deviation along the direction d, in pixels; across it,
    the deviation is `ratio` times as large:

    .. math:: \lambda_k = \exp\left( -\tfrac12 \text{severity}^2 \left( (d \cdot \omega_k)^2
        + \text{ratio}^2 (\lVert \omega_k \rVert^2 - (d \cdot \omega_k)^2) \right) \right)

    Along the rows or the columns the image is mirrored about its borders, and the blur is diagonal
    in the DCT-II. In other directions mirror images would be blurred in mirrored directions, so
    the image is continued periodically, and the blur is diagonal in the Hartley transform. The
    mean is kept at every severity; a severity of n / ratio, with the longer side n, leaves 1 % of
    the slowest variation at most.

    Arguments:
        ratio: The deviation across the direction over the one along it, in [0, 1]; 1 is
            `GaussianBlur`, and 0 blurs along the direction alone.
        angle: The direction in degrees, counter-clockwise from the rows in the plane of the last
            two axes; the direction of lines is 0.

    Raises:
        ValueError: If the ratio is out of range; when applied, if lines are blurred in another
            direction than their own.
    """

    unit: ClassVar[str] = "std along the direction in pixels"

    def __init__(self, ratio: float = 0.25, angle: float = 0.0) -> None:
        check_range("The ratio of an anisotropic blur", ratio, 0.0, 1.0)
        check_range("The angle of an anisotropic blur", angle, -360.0, 360.0)
        self.ratio = ratio
        self.angle = angle
        self.transform: Transform = DCT() if angle % 90 == 0 else Hartley()

    def operator(self, severity: Tensor) -> LinearOperator:
        is_mirrored = self.transform == DCT()

        def symbol(z: Tensor) -> Tensor:
            omega = frequencies(z) if is_mirrored else periodic_frequencies(z)
            square = along(omega, self.angle) ** 2
            square = square + self.ratio**2 * (squared_norm(omega) - square)
            spectrum = torch.exp(-0.5 * per_sample(severity, z) ** 2 * square)
            return spectrum if is_mirrored else point_symmetric(spectrum)

        return Diagonal(self.transform, symbol)


def _gaussian(z: Tensor, tau: Tensor) -> Tensor:
    r"""Returns :math:`\exp(-\tau \lVert \omega_k \rVert^2)` at the DCT's frequencies."""
    # Axis by axis: H + W exponentials instead of H W, few of which underflow (slowly).
    spectrum = torch.ones((), dtype=z.dtype, device=z.device)
    for omega in frequencies(z):
        spectrum = spectrum * torch.exp(-tau * omega**2)
    return spectrum
