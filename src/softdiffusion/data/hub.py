"""Data sets of Hugging Face's Hub, and of folders in its formats."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checks import shown
from ..quoting import in_one_line, sentence
from .columns import Columns, StoredPictures, as_labels, columns_of, imported, without_decoding
from .images import Images, to_float
from .stream import Stream

__all__ = ["HubImages", "hub_images", "hub_stream"]

#: The splits that serve as the test split, the first that there is.
_HELD_OUT = ("test", "validation", "valid", "val")

#: Without such a split, every tenth row is held out.
_EVERY = 10


class HubImages(Images):
    """The images of a `datasets.Dataset`, in the order of its rows.

    The pictures show what a viewer shows; see `softdiffusion.pictures.read_picture`.

    Arguments:
        dataset: The data set.
        image: The column of images; None takes the only one of type `datasets.Image`.
        label: The column of labels; None takes the only one of type `datasets.ClassLabel`, if there
            is one. An absent label is -1.
        size: The short side is resized to this many pixels (Lanczos, antialiased), and the centre
            is cropped to a square; None keeps the size that all pictures then must share.
        channels: 1 for grey, 3 for RGB; None takes those of the first picture, and a later one with
            colour is refused if the first has none.
        rows: The numbers of the rows that belong to the set, int64 (N,); None takes all.
        name: What the set is called in reports.

    Raises:
        TypeError: If it is no `datasets.Dataset`.
        ValueError: If there is no row, a column is missing or one of several, or the first picture
            can't be read; for other pictures, with their batch.
        ImportError: If `datasets` is not installed.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        image: str | None = None,
        label: str | None = None,
        size: int | None = None,
        channels: int | None = None,
        rows: Tensor | None = None,
        name: str = "data",
    ) -> None:
        if not isinstance(dataset, imported().Dataset):
            raise TypeError(
                f"HubImages takes one split of a data set, a datasets.Dataset, but is given "
                f"{shown(dataset)}."
            )
        self.name = name
        self.columns = columns_of(name, dataset.features, image, label)
        self.rows = torch.arange(len(dataset)) if rows is None else rows
        if not len(self.rows):
            raise ValueError(f"{name} has no rows for this split; give a data set with images.")
        self.stored = without_decoding(dataset.with_format(None), self.columns)
        self.labels = self._labels()
        self.classes = self.columns.classes
        first = self.stored[int(self.rows[0])][self.columns.image]
        self.pictures = StoredPictures(name, first, size, channels)
        self.shape = self.pictures.shape
        self.notes = (*_about(self.columns), *self.pictures.notes)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: Tensor) -> Tensor:
        rows = self.rows[indices].tolist()
        stored = self.stored[rows][self.columns.image]
        pixels = [
            self.pictures.pixels(picture, f"row {row}")
            for row, picture in zip(rows, stored, strict=True)
        ]
        return to_float(torch.stack(pixels))

    def _labels(self) -> Tensor | None:
        if self.columns.label is None:
            return None
        table = self.stored.select_columns([self.columns.label]).with_format("arrow")[:]
        return as_labels(table.column(self.columns.label).to_pylist())[self.rows]


def _about(columns: Columns) -> list[str]:
    labels = f", labels from {columns.label}" if columns.label else ""
    return [in_one_line(f"images from the column {columns.image}{labels}")]


@dataclass(frozen=True)
class _HubName:
    """What follows `hub:` or `hub-stream:`, `NAME[:CONFIG][:image=COLUMN][:label=COLUMN]`.

    Attributes:
        place: The name of a data set of the Hub, or the path of a folder or file.
        config: The configuration, or None.
        image: The column of images, or None.
        label: The column of labels, or None.
    """

    place: str
    config: str | None = None
    image: str | None = None
    label: str | None = None

    @classmethod
    def parsed(cls, text: str) -> "_HubName":
        """Reads a name as it is spelled.

        Raises:
            ValueError: If a part is empty, unknown or there twice.
        """
        place, *rest = text.split(":")
        parts: dict[str, str] = {}
        if not place:
            raise ValueError(f"{text!r} names no data set; write hub:NAME or hub:PATH.")
        for part in rest:
            key, equals, value = part.partition("=")
            if not equals:
                key, value = "config", part
            if key not in ("config", "image", "label") or key in parts or not value:
                raise ValueError(
                    f"{part!r} in {text!r} is not understood; write "
                    "hub:NAME[:CONFIG][:image=COLUMN][:label=COLUMN]."
                )
            parts[key] = value
        return cls(place, **parts)

    @property
    def title(self) -> str:
        """What the data set is called in reports."""
        name = self.path.resolve().name if self.path else self.place
        return in_one_line(":".join(["hub", name, *filter(None, [self.config])]))

    @property
    def path(self) -> Path | None:
        """The folder or file, if there is one of this name."""
        path = Path(self.place).expanduser()
        return path if path.exists() else None

    @property
    def is_saved(self) -> bool:
        """Whether it is a folder that `save_to_disk` has written."""
        files = ("dataset_dict.json", "state.json")
        return self.path is not None and any((self.path / file).exists() for file in files)


def hub_images(text: str, split: str, size: int | None, channels: int | None) -> HubImages:
    """Opens a data set by its name behind `hub:`.

    The splits are `train` and, for the test split, the first of `test`, `validation`, `valid` and
    `val`; without these every tenth row (the 10th, 20th, ...) of the training split is held out.

    Raises:
        FileNotFoundError: If there is no such data set, or the Hub can't be reached.
        ValueError: If it has no training split, or as `HubImages`.
        ImportError: If `datasets` is not installed.
    """
    name = _HubName.parsed(text)
    splits = _splits(name, streaming=False)
    train, test = _chosen(name, splits)
    if test is not None:
        dataset, rows = splits[train if split == "train" else test], None
        about = f"{train} and {test} are the splits for training and test"
    else:
        dataset = splits[train]
        held_out = torch.arange(len(dataset)) % _EVERY == _EVERY - 1
        rows = (held_out if split == "test" else ~held_out).nonzero()[:, 0]
        about = f"every tenth row is held out as the test split, {int(held_out.sum())} of "
        about += f"{len(dataset)}"
    asked: dict[str, Any] = {
        "image": name.image,
        "label": name.label,
        "size": size,
        "channels": channels,
    }
    images = HubImages(dataset, rows=rows, name=name.title, **asked)
    images.notes = (about, *images.notes)
    return images


def hub_stream(
    text: str,
    split: str,
    size: int | None,
    channels: int | None,
    buffer: int = 1_000,
    seed: int = 0,
) -> Stream:
    """Opens a data set by its name behind `hub-stream:`, without loading it down first.

    The splits are those of `hub_images`, but a stream without a test split holds nothing out.

    Raises:
        FileNotFoundError: If there is no such data set, or the Hub can't be reached.
        ValueError: If it has not this split, was written by `save_to_disk`, or as `Stream`.
        ImportError: If `datasets` is not installed.
    """
    name = _HubName.parsed(text)
    if name.is_saved:
        raise ValueError(
            f"{in_one_line(name.place)} was written by save_to_disk and is no stream; name it as "
            f"hub:{in_one_line(name.place)}, which takes no memory either."
        )
    splits = _splits(name, streaming=True)
    train, test = _chosen(name, splits)
    if split == "test" and test is None:
        raise ValueError(
            f"{name.title} has no test split, and from a stream nothing is held out; name it as "
            "hub: instead of hub-stream:."
        )
    dataset = splits[train if split == "train" or test is None else test]
    asked: dict[str, Any] = {
        "image": name.image,
        "label": name.label,
        "size": size,
        "channels": channels,
    }
    return Stream(dataset, buffer=buffer, seed=seed, name=name.title, **asked)


def _splits(name: _HubName, streaming: bool) -> Mapping[str, Any]:
    datasets = imported()
    try:
        if name.is_saved:
            if name.config is not None:
                raise ValueError("save_to_disk writes no configurations")
            saved = datasets.load_from_disk(str(name.path))
            return saved if isinstance(saved, Mapping) else {"train": saved}
        place, file = name.path or name.place, None
        if name.path is not None and name.path.is_file():
            place, file = name.path.parent, name.path.name
        splits: Mapping[str, Any] = datasets.load_dataset(
            str(place), name.config, data_files=file, streaming=streaming
        )
        return splits
    # A builder raises whatever its own readers do: pyarrow's errors, those of the network, ...
    except Exception as error:
        kind = FileNotFoundError if isinstance(error, OSError) else ValueError
        raise kind(
            f"The data set {in_one_line(name.place)} can't be loaded "
            f"({sentence(error).rstrip('.')}); check its name, its configuration and, if it is on "
            "the Hub, the connection."
        ) from None


def _chosen(name: _HubName, splits: Mapping[str, Any]) -> tuple[str, str | None]:
    """The splits for training and test."""
    test = next((split for split in _HELD_OUT if split in splits), None)
    if "train" in splits:
        return "train", test
    if len(splits) == 1 and test is None:
        return next(iter(splits)), None
    raise ValueError(
        f"{name.title} has no split train, but {in_one_line(', '.join(splits))}; give a data set "
        "with one."
    )
