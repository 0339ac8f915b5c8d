"""The columns and the pictures of Hugging Face data sets, be they on a disk or streamed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..pictures import as_seen, read_picture, to_pixels
from ..quoting import in_one_line

__all__ = ["Columns", "StoredPictures", "as_labels", "columns_of", "imported", "without_decoding"]


def imported() -> ModuleType:
    """Hugging Face's package `datasets`.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import datasets
    except ImportError:
        raise ImportError(
            "Data sets of the Hub come with Hugging Face's datasets: pip install "
            "'softdiffusion[hub]'."
        ) from None
    return datasets


@dataclass(frozen=True)
class Columns:
    """Where a data set has its images and labels.

    Attributes:
        image: The column of images.
        label: The column of labels, or None.
        classes: The names of the classes, by their numbers, or None.
    """

    image: str
    label: str | None
    classes: tuple[str, ...] | None


def columns_of(name: str, features: Any, image: str | None, label: str | None) -> Columns:
    """Finds the columns of images and labels by their types, unless they are named.

    Arguments:
        name: What the data set is called in messages.
        features: Its columns, `datasets.Features`, or None if it does not know them.
        image: The column of images; None takes the only one of type `Image`.
        label: The column of labels, of type `ClassLabel` or whole numbers; None takes the only one
            of type `ClassLabel`, if there is one.

    Raises:
        ValueError: If a column is missing, of another type, or one of several.
    """
    datasets = imported()
    if features is None:
        raise ValueError(
            f"{name} does not say the types of its columns; give them by "
            "dataset.cast(datasets.Features({'image': datasets.Image()}))."
        )
    kinds = dict(features)
    pictures = [column for column, kind in kinds.items() if isinstance(kind, datasets.Image)]
    labelled = [column for column, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    whole = [
        column
        for column, kind in kinds.items()
        if isinstance(kind, datasets.Value) and "int" in kind.dtype
    ]
    if not pictures:
        raise ValueError(
            f"{name} has no column of images, but {_listed(kinds)}; cast the column that holds "
            "them to datasets.Image()."
        )
    image = _chosen(name, "image", image, pictures, pictures)
    if label is None and not labelled:
        return Columns(image, None, None)
    label = _chosen(name, "label", label, labelled, [*labelled, *whole])
    classes = tuple(kinds[label].names) if label in labelled else None
    return Columns(image, label, classes)


def _chosen(name: str, what: str, given: str | None, found: list[str], fit: list[str]) -> str:
    if given is not None:
        if given not in fit:
            raise ValueError(
                f"{name} has no column of {what}s called {given!r}; those that fit are: "
                f"{_listed(fit)}."
            )
        return given
    if len(found) > 1:
        raise ValueError(
            f"{name} has {len(found)} columns of {what}s, {_listed(found)}; name one of them, such "
            f"as {what}={found[0]}."
        )
    return found[0]


def _listed(columns: Mapping[str, Any] | list[str]) -> str:
    return in_one_line(", ".join(columns)) or "none"


def without_decoding(dataset: Any, columns: Columns) -> Any:
    """The columns of a data set alone, with the pictures as they are stored."""
    names = [columns.image] if columns.label is None else [columns.image, columns.label]
    stored = imported().Image(decode=False)
    return dataset.select_columns(names).cast_column(columns.image, stored)


class StoredPictures:
    """Makes pixels of the stored pictures of a data set, as `FolderImages` does of files.

    Arguments:
        name: What the data set is called in messages.
        first: The first picture, from which the shape follows.
        size: The short side is resized to this many pixels (Lanczos, antialiased), and the centre
            is cropped to a square; None keeps the size that all pictures then must share.
        channels: 1 for grey, 3 for RGB; None takes those of the first picture, and a later one with
            colour is refused if the first has none.

    Attributes:
        shape: The shape (C, H, W) of an image.
        notes: What is said about the channels.
    """

    def __init__(self, name: str, first: Any, size: int | None, channels: int | None) -> None:
        self.name = name
        self.size = size
        self.asked = channels
        picture = self._read(first, "the first row")
        found = picture.shape[2]
        self.channels = channels or found
        self.notes: tuple[str, ...] = ()
        if channels is None:
            self.notes = (f"{found} channel{'s' * (found > 1)}, as the first picture has",)
        elif channels < found:
            self.notes = ("colour is left out: 1 channel is asked for, the first picture has 3",)
        pixels = to_pixels(picture, self.channels, size)
        self.shape = (self.channels, pixels.shape[1], pixels.shape[2])

    def pixels(self, stored: Any, where: str) -> Tensor:
        """The pixels of a stored picture, uint8 (C, H, W).

        Arguments:
            stored: What its column holds: the bytes or the path of a file, or one of Pillow's
                images.
            where: Its place, such as "row 7", for the messages.

        Raises:
            ValueError: If it can't be read, or has another size or more channels than the first.
        """
        picture = self._read(stored, where)
        if self.asked is None and picture.shape[2] > self.channels:
            raise ValueError(
                f"The image in {where} of {self.name} has colour, but the first has none; give "
                "channels as 3 to show all in colour, or as 1 to leave colour out."
            )
        pixels = to_pixels(picture, self.channels, self.size)
        if pixels.shape != self.shape:
            raise ValueError(
                f"The images have different sizes: the first of {self.name} has {self.shape[2]} x "
                f"{self.shape[1]} pixels but that in {where} has {pixels.shape[2]} x "
                f"{pixels.shape[1]}; give a size to which all are resized and cropped."
            )
        return pixels

    def _read(self, stored: Any, where: str) -> np.ndarray:
        holds = f"image in {where} of {self.name}"
        if stored is None:
            raise ValueError(f"There is no {holds}, but None; filter such rows out.")
        if not isinstance(stored, dict):
            return as_seen(stored, holds)
        if stored["bytes"] is not None:
            return read_picture(stored["bytes"], holds)
        if "://" not in stored["path"]:
            return read_picture(Path(stored["path"]), holds)
        import fsspec

        with fsspec.open(stored["path"]) as file:
            return read_picture(file.read(), holds)


def as_labels(values: list[int | None]) -> Tensor:
    """Labels as int64, (N,), with -1 where there is none."""
    return torch.tensor([-1 if value is None else value for value in values], dtype=torch.int64)
