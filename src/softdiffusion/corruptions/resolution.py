"""Resolution: block averages, and downsampling with a filter before it."""

import math
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from ..checks import per_sample
from ..operators import DCT, Diagonal, Haar, LinearOperator
from ..operators.haar import haar_levels
from .corruption import Corruption
from .frequencies import frequencies

__all__ = ["Downsample", "Pixelate"]


class Pixelate(Corruption):
    r"""Averages over blocks of pixels; the severity is the binary logarithm of the block's side.

    At a whole severity l every block of :math:`2^l` pixels on a side, counted from the first pixel
    of each axis (the last block may be smaller), becomes its mean. Between two levels the
    detail that the next level removes fades linearly, on each axis by

    .. math:: \lambda_k = \operatorname{clip}(l_k - \text{severity}, 0, 1)

    with the level :math:`l_k` of Haar coefficient k, infinite for the mean; the image's
    :math:`\lambda` is the product over the axes. It is symmetric, unlike a subsampling, and from
    severity :math:`\lceil \log_2 n \rceil` on only the mean of every channel is left.

    Details that are gone at t and reappear at s < t have no weight at t in `SoftScoreMatching`, so
    they are trained only by `StepMatched` or `LookAhead`, which see the next level.

    Source: the pixelation of Bansal et al. 2022 (Cold Diffusion), made continuous.
    """

    unit: ClassVar[str] = "log2 of the block's side in pixels"
    transform = Haar()

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            level = per_sample(severity, z)
            return reduce(torch.mul, [(own - level).clamp(0, 1) for own in levels(z)])

        return Diagonal(self.transform, symbol)


class Downsample(Corruption):
    r"""Downsampling by a factor f and back; the severity is the binary logarithm of f.

    An antialiasing filter comes first, and what it leaves lies below the Nyquist frequency
    :math:`\pi / f` of the small image. So the small image of n / f pixels on a side holds all of
    it, and bringing it back by trigonometric interpolation changes nothing: the corruption is the
    filter. On each axis it is a Hann window between :math:`\pi / f^2` and :math:`\pi / f`,

    .. math:: \lambda_k = \cos^2 \Bigl( \tfrac{\pi}{2} \operatorname{clip} \Bigl(
        \frac{\omega_k - \pi / f^2}{\pi / f - \pi / f^2}, 0, 1 \Bigr) \Bigr),
        \qquad \omega_k = \pi k / n

    and the image's :math:`\lambda` is the product over the axes. The window was chosen since it is
    the identity at f = 1, lets no alias through at any f, and, unlike a sharp cut-off, does not
    ring. At f = n, severity :math:`\log_2 n`, only the mean of every channel is left.

    Frequencies beyond :math:`\pi / f` have no weight in `SoftScoreMatching`, as in `Pixelate`.
    """

    unit: ClassVar[str] = "log2 of the factor"
    transform = DCT()

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            # No image has a side of 2^30 pixels; beyond, the powers would not stay finite.
            factor = 2 ** per_sample(severity, z).clamp(max=30)
            stop, start = math.pi / factor, math.pi / factor**2
            # Without downsampling the window has no width, and all frequencies lie below it.
            width = (stop - start).clamp(min=1e-6)
            beyond = [((omega - start) / width).clamp(0, 1) for omega in frequencies(z)]
            return reduce(torch.mul, [torch.cos(math.pi / 2 * b).square() for b in beyond])

        return Diagonal(self.transform, symbol)


def levels(z: Tensor) -> list[Tensor]:
    """The level of every Haar coefficient of each axis, shaped to multiply `z`."""

    def along(axis: int) -> Tensor:
        level = haar_levels(z.shape[axis]).to(z)
        return level.reshape(1, 1, *(-1 if a == axis else 1 for a in range(2, z.ndim)))

    return [along(axis) for axis in range(2, z.ndim)]
