"""The pictures in the rows of a Hugging Face data set."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..quoting import in_one_line
from .columns import Columns, as_labels, has_colour, read_stored
from .stored import Stored, first_of, stamp

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows(Stored):
    """Rows of a `datasets.Dataset`.

    Attributes:
        dataset: The data set, with its pictures as they are stored.
        columns: Its columns of images and labels.
        numbers: The numbers of the rows, int64 (N,).
        name: What the data set is called in messages.
        rule: How it is divided into splits, in words, or nothing.
    """

    dataset: Any
    columns: Columns
    numbers: Tensor
    name: str
    rule: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...] | None:
        return self.columns.classes

    @property
    def notes(self) -> tuple[str, ...]:
        labels = f", labels from {self.columns.label}" if self.columns.label else ""
        return *self.rule, in_one_line(f"images from the column {self.columns.image}{labels}")

    @property
    def sizes(self) -> list[int]:
        # On average: those of single rows would have to be read.
        import pyarrow.compute as pc

        column = self.dataset.data.column(self.columns.image)
        total = pc.sum(pc.binary_length(pc.struct_field(column, "bytes"))).as_py()
        size = _size(self._stored(0)) if total is None else total // len(column)
        return [size] * len(self.numbers)

    def named(self, index: int) -> str:
        return f"row {int(self.numbers[index])} of {self.name}"

    def read(self, index: int) -> np.ndarray:
        return read_stored(self._stored(index), self.named(index))

    def key(self, *settings: object) -> str:
        told = (self.dataset._fingerprint, self.columns, settings)
        content = hashlib.sha256(repr(told).encode())
        content.update(self.numbers.numpy().tobytes())
        for path in self._paths():
            content.update(repr(stamp(path)).encode())
        return content.hexdigest()

    def labels(self) -> Tensor | None:
        label = self.columns.label
        if label is None:
            return None
        table = self.dataset.select_columns([label]).with_format("arrow")[:]
        return as_labels(self.name, self.columns, table.column(label).to_pylist())[self.numbers]

    def channels(self, asked: int | None, first: np.ndarray) -> tuple[int, tuple[str, ...]]:
        # Without a number it is 3 if any row has colour, also one that is held out.
        found = first.shape[2]
        if asked is not None:
            said = (f"colour is left out: 1 channel is asked for, {self.named(0)} has 3",)
            return asked, said if asked < found else ()
        rows = range(len(self.dataset))
        coloured = first_of(rows, lambda row: has_colour(self._picture(row)))
        if coloured is None:
            return 1, ("1 channel, since no picture has colour",)
        return 3, (f"3 channels, since the picture in row {coloured} has colour",)

    def _paths(self) -> Iterator[str]:
        """The files on this machine that the data set does not hold but names."""
        import pyarrow.compute as pc

        column = self.dataset.data.column(self.columns.image)
        content, path = (pc.struct_field(column, name) for name in ("bytes", "path"))
        named = path.filter(pc.and_(pc.is_null(content), pc.is_valid(path)))
        return (name for name in map(str, named) if os.path.isfile(name))

    def _stored(self, index: int) -> Any:
        return self._picture(int(self.numbers[index]))

    def _picture(self, row: int) -> Any:
        return self.dataset[row][self.columns.image]


def _size(stored: dict[str, Any] | None) -> int:
    """The bytes of a picture's file on this machine."""
    path = Path((stored or {}).get("path") or "")
    return path.stat().st_size if path.is_file() else 0
