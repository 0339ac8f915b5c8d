"""Masks of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ..checks import as_array, per_sample
from ..operators import Diagonal, LinearOperator, Pixel
from ..pictures import read_picture, to_grey
from .corruption import Corruption

__all__ = ["MaskImage"]

Line = Sequence[float]
Plane = Sequence[Line]
Volume = Sequence[Plane]


class MaskImage(Corruption):
    r"""A mask of one's own, whose black part fades.

    .. math:: \lambda = 1 - \text{severity} \cdot (1 - m)

    White (m = 1) is kept at every severity, and black (m = 0) is gone at severity 1, where exactly
    the masked image is left. The mask is soft in between, so every pixel is trained at every
    severity below 1; at 1 the black part has no weight in `SoftScoreMatching`.

    Arguments:
        mask: The mask m in [0, 1], with the images' axes but for the batch and, for all channels
            alike, the channels: a tensor, nested lists, or the path of a picture, of which the grey
            values are taken as a viewer shows them: 1 for white and for what is transparent.
            A path is read at once, so that a saved model holds the mask itself.

    Raises:
        ValueError: If a value lies outside [0, 1], a file is no image or, when called, the mask
            does not fit the images.
        FileNotFoundError: If there is no such file.
    """

    unit: ClassVar[str] = "share of the masked part that is gone"
    max_severity = 1.0
    transform = Pixel()

    def __init__(self, mask: Line | Plane | Volume | str | Path | Tensor) -> None:
        values = to_grey(read_picture(mask, "mask")) if isinstance(mask, str | Path) else mask
        self.mask = as_array("The mask", values, torch.float32)
        low, high = self.mask.aminmax()
        if low < 0 or high > 1:
            raise ValueError(
                f"A mask must lie in [0, 1], black for what fades, but has values from {low:g} to "
                f"{high:g}."
            )

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            axes = self.mask.ndim
            if axes not in (z.ndim - 2, z.ndim - 1) or z.shape[z.ndim - axes :] != self.mask.shape:
                raise ValueError(
                    f"A mask of shape {tuple(self.mask.shape)} does not fit images of shape "
                    f"{tuple(z.shape[1:])}; it needs all their axes, or all but the channels."
                )
            return 1 - per_sample(severity, z) * (1 - self.mask.to(z)[None])

        return Diagonal(self.transform, symbol)
