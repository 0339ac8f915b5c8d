"""Resizing by exact averages over areas."""

import torch
from torch import Tensor

__all__ = ["area_average"]


def area_average(images: Tensor, size: int) -> Tensor:
    """Shrinks images to size x size; every new pixel is the mean over the area that it covers.

    Arguments:
        images: Square images (N, C, H, H), float.
        size: The new side, at most the old one.

    Raises:
        ValueError: If the images are not square, or would have to grow.
    """
    height, width = images.shape[-2:]
    if height != width or size > height or size < 1:
        raise ValueError(
            f"Images of {height} x {width} can't be averaged to {size} x {size}; give a size from 1 "
            "to the image's side, and square images."
        )
    if size == height:
        return images
    weights = _overlaps(height, size).to(images)
    return weights @ images @ weights.T


def _overlaps(old: int, new: int) -> Tensor:
    """The share of every new pixel (row) that lies in every old one (column)."""
    scale = old / new
    start = torch.arange(new, dtype=torch.float64)[:, None] * scale
    left = torch.arange(old, dtype=torch.float64)[None]
    overlap = torch.minimum(start + scale, left + 1) - torch.maximum(start, left)
    return overlap.clamp(min=0) / scale
