"""Pictures in tiles, so that a window is read without the rest of its picture.

A picture (C, H, W) is divided into tiles of `side` x `side` pixels, the last ones of a row or a
column being smaller; they follow each other row by row, the values of each in the order (C, h, w).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Tile", "covering", "tile_bytes", "tiles"]


def tiles(picture: np.ndarray, side: int) -> Iterator[bytes]:
    """The values of a picture's tiles, in their order."""
    for top in range(0, picture.shape[1], side):
        for left in range(0, picture.shape[2], side):
            yield picture[:, top : top + side, left : left + side].tobytes()


def tile_bytes(channels: int, height: int, width: int, side: int) -> list[int]:
    """The bytes of a picture's tiles, in their order."""
    high = [min(side, height - top) for top in range(0, height, side)]
    wide = [min(side, width - left) for left in range(0, width, side)]
    return [channels * h * w for h in high for w in wide]


@dataclass(frozen=True)
class Tile:
    """A tile that a window touches.

    Attributes:
        number: Which of the picture's tiles it is.
        start: Where its values begin among the picture's.
        shape: Its shape (C, h, w).
        top, left: Where it begins in the window; before it, if negative.
    """

    number: int
    start: int
    shape: tuple[int, int, int]
    top: int
    left: int

    @property
    def stop(self) -> int:
        """Where its values end among the picture's."""
        return self.start + math.prod(self.shape)

    def paste(self, values: np.ndarray, window: np.ndarray) -> None:
        """Copies what a window (C, height, width) shows of the tile."""
        _, high, wide = self.shape
        rows = slice(max(self.top, 0), min(self.top + high, window.shape[1]))
        columns = slice(max(self.left, 0), min(self.left + wide, window.shape[2]))
        window[:, rows, columns] = values.reshape(self.shape)[
            :,
            rows.start - self.top : rows.stop - self.top,
            columns.start - self.left : columns.stop - self.left,
        ]


def covering(
    shape: tuple[int, ...], side: int, top: int, left: int, window: np.ndarray
) -> Iterator[Tile]:
    """The tiles that a window touches.

    Arguments:
        shape: The shape (C, H, W) of the picture.
        side: The side of its tiles.
        top, left: Where the window begins in the picture.
        window: The window, (C, height, width).
    """
    channels, rows, columns = shape
    across = -(-columns // side)
    for i in range(top // side, (top + window.shape[1] - 1) // side + 1):
        high = min(side, rows - i * side)
        for j in range(left // side, (left + window.shape[2] - 1) // side + 1):
            wide = min(side, columns - j * side)
            # All rows of tiles above are full, and the tiles before it are as high as it is.
            before = i * side * columns + j * side * high
            place = i * side - top, j * side - left
            yield Tile(i * across + j, channels * before, (channels, high, wide), *place)
