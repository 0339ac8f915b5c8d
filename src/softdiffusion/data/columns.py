"""The columns and the pictures of Hugging Face data sets, be they on a disk or streamed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..pictures import as_seen, is_grey, read_picture
from ..quoting import in_one_line, sentence
from .images import check_classes

__all__ = [
    "Columns",
    "as_labels",
    "columns_of",
    "has_colour",
    "imported",
    "read_stored",
    "without_decoding",
]


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


def read_stored(stored: Any, where: str) -> np.ndarray:
    """What a viewer shows of a stored picture, (H, W, C); see `pictures.read_picture`.

    Arguments:
        stored: What its column holds: the bytes or the path of a file, or one of Pillow's images.
        where: What it is called in messages, such as "row 7 of hub:name".

    Raises:
        ValueError: If it can't be read, or there is none.
    """
    holds = f"image in {where}"
    if stored is None:
        raise ValueError(f"There is no {holds}, but None; filter such rows out.")
    if not isinstance(stored, dict):
        return as_seen(stored, holds)
    return read_picture(_content(stored, holds), holds)


def has_colour(stored: Any) -> bool:
    """Whether a stored picture has colour; one that can't be read has none, and is named later."""
    try:
        return not is_grey(_content(stored))
    except (FileNotFoundError, TypeError, ValueError):
        return False


def _content(stored: dict[str, Any], holds: str = "image") -> bytes | Path:
    """The bytes of a picture's file, or its path if it is on this machine.

    Raises:
        ValueError: If there is neither, or another machine does not give them.
    """
    content: bytes | None = stored["bytes"]
    path: str | None = stored["path"]
    if content is not None:
        return content
    if path is None:
        raise ValueError(f"There is no {holds}, but a row without bytes and path; filter it out.")
    if "://" not in path:
        return Path(path)
    try:
        import fsspec

        with fsspec.open(path) as file:
            content = file.read()
    # Each of its file systems raises what it likes, and ImportError if its package is missing.
    except Exception as error:
        raise ValueError(
            f"The {holds} can't be read from {in_one_line(path)} ({sentence(error).rstrip('.')}); "
            "check the connection, or load the files down."
        ) from None
    return content


def as_labels(name: str, columns: Columns, values: list[int | None]) -> Tensor:
    """Labels as int64, (N,), with -1 where there is none.

    Raises:
        ValueError: If one has no class; it names the data set.
    """
    labels = torch.tensor([-1 if value is None else value for value in values], dtype=torch.int64)
    return check_classes(labels, len(values), columns.classes, name)
