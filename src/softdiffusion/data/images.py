"""Sets of images."""

import functools
import hashlib
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..checks import check_finite

__all__ = ["ArrayImages", "Images", "to_float"]

#: Images that are hashed at once.
_CHUNK = 4096


class Images(ABC):
    """A set of images of one shape.

    Attributes:
        name: What the set is called in reports.
        shape: The shape (C, H, W) of an image.
        labels: The class of every image, int64, (N,), or None.
        classes: The names of the classes, by their numbers, or None. A split without labels has
            them, too, if the other split has labels.
        notes: What the set was taken for and what was left out of it, each in a few words.
    """

    name: str
    shape: tuple[int, int, int]
    labels: Tensor | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int:
        """The number of images."""

    @abstractmethod
    def batch(self, indices: Tensor) -> Tensor:
        """The images at these indices, (B, C, H, W), float32 in [-1, 1]."""

    def tensor(self) -> Tensor:
        """All images, (N, C, H, W), float32 in [-1, 1]."""
        return self.batch(torch.arange(len(self)))

    def digest(self) -> str:
        """The SHA-256 of the shape and of all images as float32, in their order, in hexadecimal.

        It is computed once; equal images have equal digests however they are stored.
        """
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        content = hashlib.sha256(repr((len(self), *self.shape)).encode())
        for indices in torch.arange(len(self)).split(_CHUNK):
            content.update(self.batch(indices).numpy().tobytes())
        return content.hexdigest()


class ArrayImages(Images):
    """Images that are held in memory.

    Arguments:
        name: What the set is called in reports.
        images: The images, (N, C, H, W): uint8 in [0, 255], or float32 in [-1, 1].
        labels: The class of every image, (N,), or None.

    Raises:
        ValueError: If there is no image, the type or the number of axes is another, labels and
            images differ in number, or float images are not finite or not within [-1, 1].
    """

    def __init__(self, name: str, images: Tensor, labels: Tensor | None = None) -> None:
        if images.ndim != 4 or images.dtype not in (torch.uint8, torch.float32):
            raise ValueError(
                f"Images must be uint8 or float32 of shape (N, C, H, W), but {name} is "
                f"{images.dtype} of shape {tuple(images.shape)}."
            )
        if len(images) == 0:
            raise ValueError(f"{name} holds no images; give at least one.")
        if labels is not None and labels.shape != (len(images),):
            raise ValueError(
                f"{name} has {len(images)} images but labels of shape {tuple(labels.shape)}; give "
                "one label an image."
            )
        if images.is_floating_point():
            most = check_finite(f"Images of {name}", images).abs().max()
            if most > 1:
                raise ValueError(f"Images must lie in [-1, 1], but {name} reaches {most:g}.")
        self.name = name
        self.images = images
        self.labels = labels
        channels, height, width = images.shape[1:]
        self.shape = (channels, height, width)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Tensor:
        return to_float(self.images[indices])


def to_float(images: Tensor) -> Tensor:
    """Maps uint8 images from 0, ..., 255 to [-1, 1]; float images stay as they are."""
    return images if images.is_floating_point() else images.float() / 127.5 - 1
