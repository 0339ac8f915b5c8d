"""Images as a PNG file holds them: 256 levels a channel."""

import hashlib

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike, as_images, check_finite

__all__ = ["check_images", "digest", "eight_bit", "levels"]

#: How far a value may exceed [-1, 1]: less than half of one of the 256 levels, so that rounding
#: to levels takes it to the nearest end.
_TOLERANCE = 1e-3


def check_images(name: str, images: ImageLike) -> Tensor:
    """Returns `images` if they are a batch (N, C, H, W) of finite floats in [-1, 1], within 0.001.

    Raises:
        ValueError: If they are not; the message names what they are called and what is wrong.
    """
    images = _tensor(images, name)
    if images.ndim != 4 or 0 in images.shape or not images.is_floating_point():
        raise ValueError(
            f"{name} must be a non-empty batch of floats, shape (N, C, H, W), but have shape "
            f"{tuple(images.shape)} and type {images.dtype}."
        )
    check_finite(name, images)
    if images.abs().max() > 1 + _TOLERANCE:
        raise ValueError(
            f"{name} must lie in [-1, 1], but span [{images.min():g}, {images.max():g}]; "
            "clip samples with images.clamp(-1, 1), as saving them as PNG does."
        )
    return images


def levels(images: Tensor) -> Tensor:
    """The levels round((x + 1) 127.5) of images in [-1, 1], uint8 in 0 ... 255, same shape."""
    if not images.is_floating_point():
        raise ValueError(f"Images must be floats in [-1, 1], but have the type {images.dtype}.")
    if not (images.numel() == 0 or images.abs().max() <= 1 + _TOLERANCE):  # NaN is not
        raise ValueError("Images must be finite and lie in [-1, 1]; images.clamp(-1, 1) clips.")
    return ((images.float() + 1) * 127.5).round().to(torch.uint8)


@checked
def eight_bit(images: ImageLike) -> Tensor:
    """Images in [-1, 1] rounded to 256 levels, float32, same shape.

    Every metric rounds its images first, so a value computed from the arrays equals the value
    computed from the PNG files that were saved from them.
    """
    return levels(_tensor(images)).float() / 127.5 - 1


@checked
def digest(images: ImageLike) -> str:
    """SHA-256, in hexadecimal, of the shape and the 8-bit levels of images in [-1, 1]."""
    images = _tensor(images)
    content = hashlib.sha256(repr(tuple(images.shape)).encode())
    for chunk in images.split(4096):
        content.update(levels(chunk).cpu().numpy().tobytes())
    return content.hexdigest()


def _tensor(images: ImageLike, name: str = "Images") -> Tensor:
    return images if isinstance(images, Tensor) else as_images(name, images)
