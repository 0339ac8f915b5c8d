"""Boxes that grow from inside, and borders that close in from outside."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import per_sample
from ..operators import Diagonal, LinearOperator, Pixel
from .corruption import Corruption

__all__ = ["GrowingBox", "Outpainting"]

#: The two sides of the last axis, of the one before it, and of the third from the end.
_SIDES = (("left", "right"), ("top", "bottom"), ("front", "back"))


@checked
class GrowingBox(Corruption):
    r"""A box of missing pixels; its severity is the side of the box as a share of the image's.

    The box is the image itself, shrunk by the severity about a centre. Each pixel loses the share
    of its area that lies inside, in all channels:

    .. math:: \lambda_p = 1 - \prod_\text{axes} \lvert [p, p + 1] \cap [a, a + n\,
        \text{severity}] \rvert, \qquad a = n\, c\, (1 - \text{severity})

    for pixel p of an axis of n pixels and the centre c in shares of the side. So a pixel fades
    while the border of the box crosses it. At severity 1 nothing is left.

    Inside of the box the mask is hard: pixels that reappear between t and s < t have no weight at
    t in `SoftScoreMatching`, so they are never trained there. Train with `StepMatched` or
    `LookAhead`, which see the pixels of the next level.

    Source: the inpainting of Bansal et al. 2022 (Cold Diffusion), with the area of each pixel.

    Arguments:
        centre: The point that disappears first, one share of the image's side for each axis in
            [0, 1], (0, 0) being the upper left corner; None for the middle.

    Raises:
        ValueError: If a coordinate lies outside [0, 1], or, when called, if there is not one for
            each axis of the images.
    """

    unit: ClassVar[str] = "side of the box as a share of the image's"
    max_severity = 1.0
    transform = Pixel()

    def __init__(self, centre: Sequence[float] | None = None) -> None:
        if centre is not None and not all(0 <= coordinate <= 1 for coordinate in centre):
            raise ValueError(
                "The centre of a box is given in shares of the image's sides, in [0, 1], but is "
                f"{tuple(centre)}."
            )
        self.centre = centre

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            return 1 - share_inside(z, self._centre(z.ndim - 2), per_sample(severity, z))

        return Diagonal(self.transform, symbol)

    def _centre(self, axes: int) -> dict[int, float]:
        centre = [0.5] * axes if self.centre is None else self.centre
        if len(centre) != axes:
            raise ValueError(
                f"The centre of the box has {len(centre)} coordinates, but the images have {axes} "
                "axes; give one for each."
            )
        return dict(enumerate(centre, start=2))


@checked
class Outpainting(Corruption):
    r"""The border closes in; the severity is the share of the side that is missing.

    What remains is a box of `1 - severity` of the image's side: in the middle where both sides of
    an axis close in, at the far border where one does, the whole axis where none does. Each pixel
    keeps the share of its area that lies inside, in all channels. At severity 1 nothing is left.

    Outside of the box the mask is hard, so what `GrowingBox` says about training holds here.

    Source: Saharia et al. 2022 (Palette) for the task of uncropping.

    Arguments:
        sides: The sides that close in, among left, right, top, bottom, front and back; None for
            all sides of the image.

    Raises:
        ValueError: If there is none, one is unknown or, when called, the images have no such side.
    """

    unit: ClassVar[str] = "share of the side that is missing"
    max_severity = 1.0
    transform = Pixel()

    def __init__(self, sides: Sequence[str] | None = None) -> None:
        known = [side for pair in _SIDES for side in pair]
        if sides is not None and (not sides or not set(sides) <= set(known)):
            raise ValueError(
                f"The sides must be one or more of {', '.join(known)}, but are {tuple(sides)}."
            )
        self.sides = sides

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            return share_inside(z, self._centre(z.ndim), 1 - per_sample(severity, z))

        return Diagonal(self.transform, symbol)

    def _centre(self, ndim: int) -> dict[int, float]:
        """Where the remaining box shrinks to, for every axis that loses pixels."""
        pairs = {ndim - 1 - i: pair for i, pair in enumerate(_SIDES[: ndim - 2])}
        present = {side for pair in pairs.values() for side in pair}
        closing = present if self.sides is None else set(self.sides)
        if not closing <= present:
            raise ValueError(
                f"Images of {ndim - 2} axes have no side {', '.join(sorted(closing - present))}; "
                f"they have {', '.join(sorted(present))}."
            )
        centre = {
            (True, True): 0.5,
            (True, False): 1.0,  # the low side closes in, so the last pixel of the axis stays
            (False, True): 0.0,
        }
        return {
            axis: centre[low in closing, high in closing]
            for axis, (low, high) in pairs.items()
            if low in closing or high in closing
        }


def share_inside(z: Tensor, centre: dict[int, float], side: Tensor) -> Tensor:
    """The share of the area of every pixel that lies in a box.

    Arguments:
        z: A batch, of which only shape, dtype and device are read.
        centre: The point about which the image is shrunk to the box, one coordinate in [0, 1] for
            each axis that the box does not fill.
        side: The side of the box as a share of the image's, shaped to multiply `z`.

    Returns:
        A tensor that broadcasts against `z`, with values in [0, 1].
    """
    share = z.new_ones((1,) * z.ndim)
    for axis, c in centre.items():
        n = z.shape[axis]
        p = torch.arange(n, dtype=z.dtype, device=z.device)
        p = p.reshape(-1, *(1,) * (z.ndim - 1 - axis))
        low = n * c * (1 - side)
        high = low + n * side
        overlap = torch.minimum(high, p + 1) - torch.maximum(low, p)
        share = share * overlap.clamp(0, 1)
    return share
