"""Other sizes without interpolation: exact averages over areas, and black frames."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["area_average", "framed"]


def area_average(images: Tensor, size: int) -> Tensor:
    """Shrinks images to size x size; every new pixel is the mean over the area that it covers.

    Old pixels that are covered in part count by their share, so any ratio of sizes is exact. The
    average is separable: W x W^T with the shares W of one axis.

    Arguments:
        images: Square images (N, C, H, H), float.
        size: The new side, at most the old one.

    Raises:
        ValueError: If the images are not square, or would have to grow.
    """
    height, width = images.shape[-2:]
    if height != width or size > height or size < 1:
        raise ValueError(
            f"Images of {height} x {width} can't be averaged to {size} x {size}; give a size from "
            "1 to the image's side, and square images."
        )
    if size == height:
        return images
    weights = _overlaps(height, size).to(images)
    return weights @ images @ weights.T


def framed(images: Tensor, size: int) -> Tensor:
    """Sets images in the middle of a black square of size x size; an odd row is put below.

    Arguments:
        images: Images (N, C, H, W), float in [-1, 1]; black is -1.
        size: The new side, at least the old ones.

    Raises:
        ValueError: If the images would have to shrink.
    """
    height, width = images.shape[-2:]
    if size < max(height, width):
        raise ValueError(
            f"Images of {height} x {width} don't fit into a frame of {size} x {size}; give a size "
            "from the image's longer side on."
        )
    top, left = (size - height) // 2, (size - width) // 2
    return F.pad(images, (left, size - width - left, top, size - height - top), value=-1.0)


def _overlaps(old: int, new: int) -> Tensor:
    """The share of every new pixel (row) that lies in every old one (column), float64 (new, old).

    In units of 1 / (old * new) of the side all edges are whole numbers: new pixel i covers
    [i * old, (i + 1) * old], old pixel j covers [j * new, (j + 1) * new].
    """
    i = torch.arange(new)[:, None] * old
    j = torch.arange(old)[None] * new
    overlap = torch.minimum(i + old, j + new) - torch.maximum(i, j)
    return overlap.clamp(min=0).double() / old
