"""Sets of images."""

import functools
import hashlib
from abc import ABC, abstractmethod

import torch
from torch import Tensor

__all__ = ["ArrayImages", "Images"]


class Images(ABC):
    """A set of images of one shape.

    Attributes:
        name: What the set is called in reports.
        shape: The shape (C, H, W) of an image.
        labels: The class of every image, (N,), or None.
    """

    name: str
    shape: tuple[int, int, int]
    labels: Tensor | None = None

    @abstractmethod
    def __len__(self) -> int:
        """The number of images."""

    @abstractmethod
    def batch(self, indices: Tensor) -> Tensor:
        """The images at these indices, (B, C, H, W), float32 in [-1, 1]."""

    def tensor(self) -> Tensor:
        """All images, (N, C, H, W)."""
        return self.batch(torch.arange(len(self)))

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of all images as float32 in their order, in hexadecimal."""
        digest = hashlib.sha256()
        for indices in torch.arange(len(self)).split(4096):
            digest.update(self.batch(indices).numpy().tobytes())
        return digest.hexdigest()


class ArrayImages(Images):
    """Images that are held in memory.

    Arguments:
        name: What the set is called in reports.
        images: The images, (N, C, H, W): uint8, or float32 in [-1, 1].
        labels: The class of every image, (N,), or None.

    Raises:
        ValueError: If there is no image, or a float image is not within [-1, 1].
    """

    def __init__(self, name: str, images: Tensor, labels: Tensor | None = None) -> None:
        if len(images) == 0:
            raise ValueError(f"{name} holds no images.")
        if images.is_floating_point() and not images.abs().max() <= 1:
            raise ValueError(
                f"Images must lie in [-1, 1], but {name} reaches {images.abs().max():g}."
            )
        self.name = name
        self.images = images
        self.labels = labels
        channels, height, width = images.shape[1:]
        self.shape = (channels, height, width)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Tensor:
        images = self.images[indices]
        return images if images.is_floating_point() else images.float() / 127.5 - 1
