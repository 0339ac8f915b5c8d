"""Where pictures come from."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor

__all__ = ["Stamp", "Stored", "first_of", "stamp"]

#: The size of a file in bytes, and the times when its content and its state last changed.
Stamp = tuple[int, int, int]

#: Seconds until a pass through all headers shows how far it is.
_PATIENCE = 2.0

Item = TypeVar("Item")


class Stored(ABC):
    """The pictures of a set as they lie there, in files or in rows, at one moment."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes, by their numbers, or None."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """How the set was understood, each in a few words."""

    @property
    @abstractmethod
    def sizes(self) -> Sequence[int]:
        """The bytes of the pictures, as they are stored."""

    @abstractmethod
    def named(self, index: int) -> str:
        """What a picture is called in messages."""

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """What a viewer shows of a picture, (H, W, C); see `pictures.read_picture`.

        Raises:
            FileNotFoundError: If it is gone.
            ValueError: If it can't be read.
        """

    @abstractmethod
    def key(self, *settings: object) -> str:
        """The SHA-256 of what tells these pictures, and the settings, from others, in hex."""

    @abstractmethod
    def labels(self) -> Tensor | None:
        """The class of every picture, int64 (N,), or None if they have none."""

    @abstractmethod
    def channels(self, asked: int | None, first: np.ndarray) -> tuple[int, tuple[str, ...]]:
        """The number of channels, and what is said about it.

        Arguments:
            asked: The number that is asked for; None takes 3 if any picture has colour.
            first: The first picture.
        """


def first_of(items: Sequence[Item], wanted: Callable[[Item], bool]) -> Item | None:
    """The first item of which something holds, or None; how far it is shows after two seconds."""
    from tqdm import tqdm

    with tqdm(items, "looking for colour", unit="image", delay=_PATIENCE) as bar:
        return next((item for item in bar if wanted(item)), None)


def stamp(file: str | Path) -> Stamp:
    """What tells a file from others that have been at its place, or will be.

    Raises:
        OSError: If it is not there.
    """
    # The time of its state, too: files of one archive may agree in all else.
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
