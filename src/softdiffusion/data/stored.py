"""Where pictures come from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from torch import Tensor

__all__ = ["Stored"]


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

    def __len__(self) -> int:
        return len(self.sizes)
