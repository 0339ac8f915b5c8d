"""Low-pass filters, given by their transfer function."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_range, per_sample
from ..operators import DCT, Diagonal, LinearOperator
from .corruption import Corruption
from .frequencies import frequencies, squared_norm

__all__ = ["Butterworth", "IdealLowPass", "PowerLaw"]


class IdealLowPass(Corruption):
    r"""Removes all waves shorter than the severity, in pixels, and keeps the others as they are.

    .. math:: \lambda_k = 1 \text{ if } \text{severity} \lVert \omega_k \rVert \le 2 \pi,
        \text{ else } 0, \qquad \omega_k = \pi k / n

    on each axis of n pixels, diagonal in the DCT-II. The shortest wave has 2 pixels (1.41 along
    the diagonal), the longest 2 n on the longer side: above it the mean alone is left. Since
    :math:`\lambda` jumps, it has no useful derivative in the severity.
    """

    unit: ClassVar[str] = "shortest wavelength in pixels"
    transform = DCT()

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            # A wave that just fits stays, in spite of the few roundings behind its length.
            return (_waves(severity, z) <= 1 + 8 * torch.finfo(z.dtype).eps).to(z.dtype)

        return Diagonal(self.transform, symbol)


@checked
class Butterworth(Corruption):
    r"""Butterworth's low-pass filter, flat up to a cut-off wavelength, which is the severity.

    .. math:: \lambda_k = \left( 1 + (\text{severity} \lVert \omega_k \rVert / 2 \pi)^{2 m}
        \right)^{-1/2}, \qquad \omega_k = \pi k / n

    on each axis of n pixels, with the order m: the amplitude of the analogue filter, without its
    delay, diagonal in the DCT-II. At the cut-off :math:`1 / \sqrt 2` is left; waves that are
    shorter fall with the power m of their length, and for :math:`m \to \infty` it is
    `IdealLowPass`. The mean is kept; a severity of :math:`2 n \cdot 100^{1/m}`, with the longer
    side n, leaves 1 % of the slowest variation.

    Arguments:
        order: The order m, >= 1.

    Raises:
        ValueError: If the order is below 1.

    Source: Butterworth 1930, On the theory of filter amplifiers.
    """

    unit: ClassVar[str] = "cut-off wavelength in pixels"
    transform = DCT()

    def __init__(self, order: float = 2.0) -> None:
        check_range("The order of a Butterworth filter", order, 1.0, math.inf)
        self.order = order

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            power = _waves(severity, z) ** (2 * self.order)
            return torch.rsqrt(1 + power.clamp(max=1e30))  # what is left then is nothing

        return Diagonal(self.transform, symbol)


class PowerLaw(Corruption):
    r"""Lets the amplitude fall with a power of the frequency: the exponent is the severity.

    .. math:: \lambda_k = \left( 1 + \lVert \omega_k \rVert / \omega_1 \right)^{-\text{severity}},
        \qquad \omega_k = \pi k / n, \quad \omega_1 = \pi / n_{\max}

    on each axis of n pixels, the longest of :math:`n_{\max}`, diagonal in the DCT-II. It has no
    scale of its own: details of all sizes fade at once, the finer the more. Exponents add,
    :math:`C(a)\, C(b) = C(a + b)`. The mean is kept, and of the slowest variation
    :math:`2^{-\text{severity}}`, which is 1 % at 6.6.
    """

    unit: ClassVar[str] = "exponent of the amplitude's decay"
    transform = DCT()

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            slowest = math.pi / max(z.shape[2:])
            rise = torch.log1p(squared_norm(frequencies(z)).sqrt() / slowest)
            return torch.exp(-per_sample(severity, z) * rise)

        return Diagonal(self.transform, symbol)


def _waves(severity: Tensor, z: Tensor) -> Tensor:
    r"""How many waves of the frequency a length of `severity` pixels holds."""
    return per_sample(severity, z) * squared_norm(frequencies(z)).sqrt() / (2 * math.pi)
