"""Folders of image files."""

import functools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..pictures import is_grey, read_picture, suffixes, to_pixels
from ..quoting import in_one_line
from .files import read_each
from .images import Images, to_float
from .layout import Layout, understood

__all__ = ["FolderImages"]

#: For more files than this, a progress bar is shown while they are decoded.
_MANY = 1_000


class FolderImages(Images):
    """The image files below a folder, sorted by relative path.

    Folders `train` and `test` (or `val`, `validation`, ...) are the splits; without them every
    tenth file (the 10th, 20th, ...) is the test split and the others are the training split. If
    every file lies in a subfolder of its split, these are the classes: their names, sorted, are
    numbered from 0 in `labels`. docs/data.md has the table of all layouts; any other is refused.
    Links are followed. What is hidden, by a dot, and what can't be read is left out; `notes` count
    it.

    All files are decoded when the first batch is asked for, and kept in memory as uint8. They show
    what a viewer shows; see `softdiffusion.pictures.read_picture`.

    Arguments:
        folder: The folder; its subfolders are searched too.
        split: "train" or "test".
        size: The short side is resized to this many pixels (Lanczos, antialiased), and the centre
            is cropped to a square; None keeps the size that all files then must share.
        channels: 1 for grey, 3 for RGB; None takes RGB if any file of any split has colour, by its
            header.

    Raises:
        FileNotFoundError: If the folder does not exist or has no images for this split.
        ValueError: If the layout has no meaning, or the first file can't be read; for other files,
            with the first batch.
    """

    def __init__(
        self, folder: Path, split: str, size: int | None = None, channels: int | None = None
    ) -> None:
        self.folder = folder
        self.split = split
        self.size = size
        layout = understood(folder)
        self.files = _files(layout, split)
        self.classes = layout.classes
        if layout.classes is not None and split in layout.labelled:
            numbers = {name: number for number, name in enumerate(layout.classes)}
            self.labels = torch.tensor([numbers[parts[0]] for parts in layout.files[split]])
        first = self._first()
        self.channels, about_channels = _channels(layout, channels, first, self.files[0])
        self.notes = (*layout.notes, *about_channels)
        self.name = f"folder:{folder.resolve().name}"
        pixels = self._pixels(first)
        self.shape = (self.channels, pixels.shape[1], pixels.shape[2])

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: Tensor) -> Tensor:
        return to_float(self._decoded[indices])

    @functools.cached_property
    def _decoded(self) -> Tensor:
        """All images as uint8, (N, C, H, W)."""
        try:
            decoded = torch.empty((len(self), *self.shape), dtype=torch.uint8)
        except RuntimeError:  # the allocator's
            gigabytes = len(self) * math.prod(self.shape) / 1e9
            raise ValueError(
                f"The {len(self):,} images of {self.name} need {gigabytes:,.1f} GB of memory, but "
                "that much can't be had; give a smaller size."
            ) from None
        for index, picture in self._pictures():
            pixels = self._pixels(picture)
            if pixels.shape != self.shape:
                height, width = self.shape[1:]
                raise ValueError(
                    f"The images have different sizes: {in_one_line(self.files[0])} has {width} x "
                    f"{height} pixels but {in_one_line(self.files[index])} has {pixels.shape[2]} x "
                    f"{pixels.shape[1]}; give a size to which all are resized and cropped."
                )
            decoded[index] = pixels
        return decoded

    def _first(self) -> np.ndarray:
        """The first picture; if it can't be read, the error names all such files."""
        try:
            return read_picture(self.files[0])
        except (FileNotFoundError, ValueError):
            for _ in self._pictures():
                pass
            raise

    def _pictures(self) -> Iterator[tuple[int, np.ndarray]]:
        from tqdm import tqdm

        many = len(self) > _MANY
        return read_each(tqdm(self.files, desc="reading images", unit="file", disable=not many))

    def _pixels(self, picture: np.ndarray) -> Tensor:
        return to_pixels(picture, self.channels, self.size)


def _files(layout: Layout, split: str) -> list[Path]:
    files = [layout.roots[split].joinpath(*parts) for parts in layout.files[split]]
    if not files:
        notes = "; ".join(layout.notes)
        raise FileNotFoundError(
            f"There are no images for the {split} split in {in_one_line(layout.roots[split])} "
            f"({notes}); files must end in {', '.join(sorted(suffixes()))}, and without folders "
            "train and test a test split needs at least 10 of them."
        )
    return files


def _channels(
    layout: Layout, channels: int | None, first: np.ndarray, file: Path
) -> tuple[int, list[str]]:
    """The number of channels, and what is said about it."""
    if channels is not None:
        lost = channels == 1 and first.shape[2] == 3
        name = in_one_line(file.name)
        return channels, [f"colour is left out: 1 channel is asked for, {name} has 3"] * lost
    files = (
        layout.roots[split].joinpath(*parts)
        for split in ("train", "test")
        for parts in layout.files[split]
    )
    coloured = next((file for file in files if not _grey(file)), None)
    if coloured is None:
        return 1, ["1 channel, since no file has colour"]
    return 3, [f"3 channels, since {in_one_line(coloured.name)} has colour"]


def _grey(file: Path) -> bool:
    """Whether a file has no colour; one that can't be read has none, and is named later."""
    try:
        return is_grey(file)
    except (FileNotFoundError, ValueError):
        return True
