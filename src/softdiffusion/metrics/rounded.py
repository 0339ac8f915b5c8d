"""Many images in a quarter of their memory."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .eight_bit import check_images, levels

__all__ = ["Rounded", "as_rounded", "floats"]

#: Images that are hashed at once.
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Rounded:
    """Images as metrics see them, rounded to 256 levels, and kept as these: `Rounded.of([images])`.

    Attributes:
        levels: The levels, uint8, (N, C, H, W).
    """

    levels: Tensor

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> "Rounded":
        """Rounds batches of images, which may be made when they are asked for, to one set.

        Arguments:
            batches: The images, (B, C, H, W) in [-1, 1] each, on any device.

        Raises:
            ValueError: If they are not finite, or not in [-1, 1].
        """
        rounded = [levels(check_images("Images", batch)).cpu() for batch in batches]
        return cls(rounded[0] if len(rounded) == 1 else torch.cat(rounded))

    @property
    def shape(self) -> torch.Size:
        """The shape (N, C, H, W)."""
        return self.levels.shape

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, index: Tensor | slice) -> "Rounded":
        return Rounded(self.levels[index])

    def split(self, size: int) -> "list[Rounded]":
        """The images in batches of a size."""
        return [Rounded(part) for part in self.levels.split(size)]

    def digest(self) -> str:
        """What `digest` gives for them, in hexadecimal."""
        content = hashlib.sha256(repr(tuple(self.shape)).encode())
        for part in self.levels.split(_CHUNK):
            content.update(part.numpy().tobytes())
        return content.hexdigest()

    def floats(self) -> Tensor:
        """The images, float32 in [-1, 1]."""
        return self.levels.float() / 127.5 - 1


def as_rounded(images: Tensor | Rounded) -> Rounded:
    """Images in [-1, 1] rounded to 256 levels, or those that are.

    Raises:
        ValueError: If they are not finite, or not in [-1, 1].
    """
    return images if isinstance(images, Rounded) else Rounded.of([images])


def floats(images: Tensor | Rounded) -> Tensor:
    """Images in [-1, 1], however they are kept."""
    return images.floats() if isinstance(images, Rounded) else images
