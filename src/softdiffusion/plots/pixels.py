"""Images as arrays of bytes."""

import math

import numpy as np
from torch import Tensor

from ..checks import ImageLike, as_images, check_finite

__all__ = ["mosaic", "readable_scale", "spread", "to_uint8"]

#: The smallest side, in pixels of the screen, at which the eye reads an image comfortably.
_READABLE = 64

#: The most bytes of a mosaic.
_LARGEST = 2**30

#: The level of grey between the tiles of a mosaic.
_PAGE = 255


def to_uint8(images: ImageLike) -> np.ndarray:
    r"""Quantises images, :math:`\operatorname{round}(127.5\,(x + 1))` clipped to [0, 255].

    Bytes that were read as :math:`k / 127.5 - 1` come back exactly; values outside [-1, 1], as
    noisy images have them, become black or white. Metrics round their images by the same formula.

    Arguments:
        images: The images, (N, C, H, W), with [-1, 1] from black to white.

    Returns:
        The bytes, (N, H, W, C).

    Raises:
        ValueError: If the images have other axes, or hold NaN or infinity.
    """
    images = _tensor(images)
    if images.ndim != 4:
        raise ValueError(f"Images must have the axes (N, C, H, W), but have {tuple(images.shape)}.")
    images = as_images("Images", images).detach()
    levels = (check_finite("Images", images).float() + 1) * 127.5
    return levels.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


def spread(images: ImageLike) -> Tensor:
    """Images as pictures can show them: other channels than grey or RGB side by side, in grey.

    Arguments:
        images: The images, (N, C, H, W).

    Returns:
        The same where C is 1 or 3, and else (N, 1, H, C W).
    """
    images = _tensor(images)
    if images.ndim != 4 or images.shape[1] in (0, 1, 3):
        return images
    return images.movedim(1, 2).flatten(2).unsqueeze(1)


def mosaic(
    images: ImageLike, columns: int | None = None, scale: int | None = None, below: int = 0
) -> np.ndarray:
    """Lays images out row by row, with a thin white border around each.

    Arguments:
        images: The images, (N, C, H, W); channels that are neither grey nor RGB lie side by side.
        columns: Images in a row; the default makes the mosaic about square.
        scale: Every pixel becomes a square of this side; the default enlarges small images until
            they can be seen.
        below: White rows below each image, for a caption.

    Returns:
        The bytes of the mosaic, (height, width, C).

    Raises:
        ValueError: If there is no image, or an argument is out of range.
    """
    images = _tensor(images)
    if images.ndim == 4 and 0 in images.shape:
        raise ValueError(
            "A picture needs at least one image, with pixels, but the images have the shape "
            f"{tuple(images.shape)}."
        )
    if (columns is not None and columns < 1) or (scale is not None and scale < 1):
        raise ValueError(f"Columns and scale must be at least 1, but are {columns} and {scale}.")
    tiles = to_uint8(spread(images))
    scale = scale or readable_scale(*images.shape[-2:])
    columns = columns or math.ceil(math.sqrt(len(tiles)))
    count, height, width, channels = tiles.shape
    height, width = scale * height, scale * width
    rows = math.ceil(count / columns)
    gap = max(1, round(math.sqrt(scale)))
    pitch = height + gap + below
    shape = (rows * pitch + gap, columns * (width + gap) + gap, channels)
    if math.prod(shape) > _LARGEST:
        raise ValueError(
            f"A picture of {shape[1]} x {shape[0]} pixels is too large; show fewer images, or give "
            "fewer columns or a smaller scale."
        )
    tiles = tiles.repeat(scale, axis=1).repeat(scale, axis=2)
    page = np.full(shape, _PAGE, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = gap + row * pitch, gap + column * (width + gap)
        page[top : top + height, left : left + width] = tile
    return page


def readable_scale(height: int, width: int) -> int:
    """The smallest whole enlargement at which the shorter side of an image is readable."""
    return math.ceil(_READABLE / min(height, width))


def _tensor(images: ImageLike) -> Tensor:
    return images if isinstance(images, Tensor) else as_images("Images", images)
