"""The files of one split of a folder of pictures."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..pictures import is_grey, read_picture, suffixes
from ..quoting import in_one_line
from .layout import Layout, understood
from .stored import Stamp, Stored, first_of, stamp

__all__ = ["Split"]


@dataclass(frozen=True)
class Split(Stored):
    """The files of one split, as they lie there at one moment.

    Attributes:
        layout: How the folder is understood.
        name: "train" or "test".
        files: The paths of the split's files, in their order.
        stamps: What tells them from others that have been there, or will be.
    """

    layout: Layout
    name: str
    files: list[str]
    stamps: list[Stamp]

    @classmethod
    def of(cls, folder: Path, name: str) -> "Split":
        """Looks at a folder.

        Raises:
            FileNotFoundError: If the folder does not exist or has no images for this split.
            ValueError: If the layout has no meaning.
        """
        layout = understood(folder)
        files = _paths(layout, name)
        if not files:
            notes = "; ".join(layout.notes)
            raise FileNotFoundError(
                f"There are no images for the {name} split in {in_one_line(layout.roots[name])} "
                f"({notes}); files must end in {', '.join(sorted(suffixes()))}, and without "
                "folders train and test a test split needs at least 10 of them."
            )
        return cls(layout, name, files, list(map(stamp, files)))

    @property
    def classes(self) -> tuple[str, ...] | None:
        return self.layout.classes

    @property
    def notes(self) -> tuple[str, ...]:
        return self.layout.notes

    @property
    def sizes(self) -> list[int]:
        return [size for size, _, _ in self.stamps]

    def named(self, index: int) -> str:
        return in_one_line(self.files[index])

    def read(self, index: int) -> np.ndarray:
        return read_picture(self.files[index])

    def key(self, *settings: object) -> str:
        # The other split is part of it, since its files, too, decide on the number of channels.
        content = hashlib.sha256(repr((self.name, *settings)).encode())
        stamps = {self.name: self.stamps, self._other: map(stamp, self._other_files())}
        for name in ("train", "test"):
            paths = ["/".join(parts) for parts in self.layout.files[name]]
            content.update(os.fsencode("\0".join((name, *paths))))
            content.update(np.array(list(stamps[name]), np.int64).tobytes())
        return content.hexdigest()

    def labels(self) -> Tensor | None:
        layout = self.layout
        if layout.classes is None or self.name not in layout.labelled:
            return None
        numbers = {name: number for number, name in enumerate(layout.classes)}
        return torch.tensor([numbers[parts[0]] for parts in layout.files[self.name]])

    def channels(self, asked: int | None, first: np.ndarray) -> tuple[int, tuple[str, ...]]:
        # Without a number it is 3 if any file of both splits has colour, by its header.
        if asked is not None:
            name = in_one_line(os.path.basename(self.files[0]))
            said = (f"colour is left out: 1 channel is asked for, {name} has 3",)
            return asked, said if asked == 1 and first.shape[2] == 3 else ()
        coloured = first_of(self._all_files(), lambda file: not _grey(file))
        if coloured is None:
            return 1, ("1 channel, since no file has colour",)
        return 3, (f"3 channels, since {in_one_line(os.path.basename(coloured))} has colour",)

    @property
    def _other(self) -> str:
        return "test" if self.name == "train" else "train"

    def _other_files(self) -> list[str]:
        return _paths(self.layout, self._other)

    def _all_files(self) -> list[str]:
        both = {self.name: self.files, self._other: self._other_files()}
        return [*both["train"], *both["test"]]


def _paths(layout: Layout, split: str) -> list[str]:
    root = str(layout.roots[split])
    return [os.path.join(root, *parts) for parts in layout.files[split]]


def _grey(file: str) -> bool:
    """Whether a file has no colour; one that can't be read has none, and is named later."""
    try:
        return is_grey(file)
    except (FileNotFoundError, ValueError):
        return True
