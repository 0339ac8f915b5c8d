"""Motion blur."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_range, per_sample
from ..operators import Diagonal, Hartley, LinearOperator
from .corruption import Corruption
from .frequencies import along, periodic_frequencies, point_symmetric

__all__ = ["MotionBlur"]


@checked
class MotionBlur(Corruption):
    r"""Blur by a steady motion along a straight line, whose length in pixels is the severity.

    .. math:: \lambda_k = \frac{\sin q}{q}, \qquad
        q = \tfrac12 \text{severity}\; d \cdot \omega_k, \qquad \omega_k = 2 \pi k / n

    on each axis of n pixels, with d the unit vector of the direction: the transfer function of
    the uniform line about the centre. The image is continued periodically, so the blur is
    diagonal in the Hartley transform.

    What does not vary along the line is kept at every severity. Of a wave along it, 22 % are left
    at most once the line is as long as the wave, and nothing where it is a whole number of them;
    so a line as long as the side that it is parallel to leaves nothing but what is constant along
    it. From a length of 2 pixels on (obliquely less, down to 1.5) the spectrum changes sign: the
    closed form of the Wasserstein distance is then only an upper bound, and schedules measure it
    by a sampled estimate.

    Arguments:
        angle: The direction in degrees, counter-clockwise from the rows in the plane of the last
            two axes; the direction of lines is 0.

    Raises:
        ValueError: When applied, if lines are blurred in another direction than their own.
    """

    unit: ClassVar[str] = "length in pixels"
    transform = Hartley()

    def __init__(self, angle: float = 0.0) -> None:
        check_range("The angle of a motion blur", angle, -360.0, 360.0)
        self.angle = angle

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            q = 0.5 * per_sample(severity, z) * along(periodic_frequencies(z), self.angle)
            return point_symmetric(torch.sinc(q / math.pi))

        return Diagonal(self.transform, symbol)
