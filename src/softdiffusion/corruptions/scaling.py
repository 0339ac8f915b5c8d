"""Corruptions that treat all coordinates alike."""

from typing import ClassVar

from torch import Tensor

from ..operators import DCT, LinearOperator, Scale, identity
from .corruption import Corruption

__all__ = ["Identity", "Scaling"]


class Identity(Corruption):
    """No corruption at any severity: what is left is noise alone (variance exploding)."""

    unit: ClassVar[str] = "ignored"
    transform = DCT()  # any would do; this one nearly decorrelates natural images

    def operator(self, severity: Tensor) -> LinearOperator:
        return identity()


class Scaling(Corruption):
    r"""Scales the image by :math:`\alpha = 1 - \text{severity}`, as in VP diffusion and flows."""

    unit: ClassVar[str] = "share of the amplitude removed"
    max_severity = 1.0
    transform = DCT()  # any would do; this one nearly decorrelates natural images

    def operator(self, severity: Tensor) -> LinearOperator:
        return Scale(1.0 - severity)
