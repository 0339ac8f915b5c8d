"""Data sets of Hugging Face's Hub, and of folders in its formats."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checks import shown
from ..quoting import in_one_line, sentence
from .columns import columns_of, imported, without_decoding
from .crops import CropImages
from .decoded import DecodedImages
from .hub_name import HubName
from .images import Images
from .pictures import Pictures
from .rows import Rows
from .stream import Stream

__all__ = ["HubImages", "hub_images", "hub_stream"]

#: The splits that serve as the test split, the first that there is.
_HELD_OUT = ("test", "validation", "valid", "val")

#: Without such a split, every tenth row is held out.
_EVERY = 10


class HubImages(DecodedImages):
    """The images of a `datasets.Dataset`, in the order of its rows.

    All pictures are decoded when the first batch is asked for, and kept as uint8: in a cache that
    later sets and other processes read from, or, if they are few and small and no cache is named,
    in memory. They show what a viewer shows; see `softdiffusion.pictures.read_picture`.

    Arguments:
        dataset: The data set.
        image: The column of images; None takes the only one of type `datasets.Image`.
        label: The column of labels; None takes the only one of type `datasets.ClassLabel`, if there
            is one. An absent label is -1.
        size: The short side is resized to this many pixels (Lanczos, antialiased), and the centre
            is cropped to a square; None keeps the size that all pictures then must share.
        channels: 1 for grey, 3 for RGB; None takes RGB if any picture of the data set has colour.
        cache: The folder for caches; None is the user's, for more than 1,000 pictures or 4 MB of
            them.
        rows: The numbers of the rows that belong to the set, int64 (N,); None takes all.
        name: What the set is called in reports.
        rule: How the data set was divided into splits, in words, for the notes.

    Raises:
        TypeError: If it is no `datasets.Dataset`.
        ValueError: If there is no row, a column is missing or one of several, size or channels are
            out of range, a label has no class, or the first picture can't be read; for other
            pictures, with the first batch.
        ImportError: If `datasets` is not installed.
    """

    def __init__(
        self,
        dataset: Any,
        image: str | None = None,
        label: str | None = None,
        size: int | None = None,
        channels: int | None = None,
        cache: Path | None = None,
        rows: Tensor | None = None,
        name: str = "data",
        rule: tuple[str, ...] = (),
    ) -> None:
        asked = (image, label, size, channels, cache, rows, name, rule)
        super().__init__(_pictures(dataset, *asked, square=True))


def _pictures(
    dataset: Any,
    image: str | None,
    label: str | None,
    size: int | None,
    channels: int | None,
    cache: Path | None,
    rows: Tensor | None,
    name: str,
    rule: tuple[str, ...],
    square: bool,
) -> Pictures:
    if not isinstance(dataset, imported().Dataset):
        raise TypeError(
            f"HubImages takes one split of a data set, a datasets.Dataset, but is given "
            f"{shown(dataset)}."
        )
    columns = columns_of(name, dataset.features, image, label)
    numbers = torch.arange(len(dataset)) if rows is None else rows
    if not len(numbers):
        raise ValueError(f"{name} has no rows for this split; give a data set with images.")
    stored = without_decoding(dataset.with_format(None), columns)
    look = partial(Rows, stored, columns, numbers, name, rule)
    return Pictures(look, name, size, channels, cache, square)


def hub_images(
    text: str,
    split: str,
    size: int | None,
    channels: int | None,
    cache: Path | None = None,
    crop: int | None = None,
    crop_scale: float = 1.0,
) -> Images:
    """Opens a data set by its name behind `hub:`.

    The splits are `train` and, for the test split, the first of `test`, `validation`, `valid` and
    `val`; without these every tenth row (the 10th, 20th, ...) of the training split is held out.

    Raises:
        FileNotFoundError: If there is no such data set, or the Hub can't be reached.
        ValueError: If it has no training split, or as `HubImages` or `CropImages`.
        ImportError: If `datasets` is not installed.
    """
    name = HubName.parsed(text)
    splits = _splits(name, streaming=False)
    train, test = _chosen(name, splits)
    rows = None
    if test is not None:
        dataset = splits[train if split == "train" else test]
        rule = f"{train} and {test} are the splits for training and test"
    else:
        dataset = splits[train]
        held_out = torch.arange(len(dataset)) % _EVERY == _EVERY - 1
        rows = (held_out if split == "test" else ~held_out).nonzero()[:, 0]
        count = f"{int(held_out.sum())} of {len(dataset)}"
        rule = f"every tenth row is held out as the test split, {count}"
    asked = (name.image, name.label, size, channels, cache, rows, name.title, (rule,))
    if crop is None:
        return HubImages(dataset, *asked)
    return CropImages(_pictures(dataset, *asked, square=False), crop, crop_scale)


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
    name = HubName.parsed(text)
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
    return Stream(
        dataset,
        image=name.image,
        label=name.label,
        size=size,
        channels=channels,
        buffer=buffer,
        seed=seed,
        name=name.title,
    )


def _splits(name: HubName, streaming: bool) -> Mapping[str, Any]:
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


def _chosen(name: HubName, splits: Mapping[str, Any]) -> tuple[str, str | None]:
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
