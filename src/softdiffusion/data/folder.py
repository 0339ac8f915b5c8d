"""Folders of image files."""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..pictures import read_picture, suffixes, to_pixels
from .images import Images, to_float

__all__ = ["FolderImages"]

#: Without folders of its own, every tenth file is the test split.
_HELD_OUT = 10

#: For more files than this, a progress bar is shown while they are decoded.
_MANY = 1_000


class FolderImages(Images):
    """The image files below a folder, sorted by relative path.

    If the folder has both subfolders `train` and `test`, they are the splits; otherwise every
    tenth file (the 10th, 20th, ...) is the test split and the others are the training split.
    If every file lies in a subfolder (of its split), the subfolders with images are classes: their
    names, sorted, are numbered from 0 in `labels`. What is hidden, by a dot, is left out.

    All files are decoded when the first batch is asked for, and kept in memory as uint8.

    Photographs are turned upright (EXIF), transparent parts show white, an animation gives its
    first frame, and 16-bit grey is scaled to 8 bits.

    Arguments:
        folder: The folder; its subfolders are searched too.
        split: "train" or "test".
        size: The short side is resized to this many pixels (Lanczos, antialiased), and the centre
            is cropped to a square; None keeps the size that all files then must share.
        channels: 1 for grey, 3 for RGB; None follows the first file.

    Raises:
        FileNotFoundError: If the folder does not exist or has no images for this split.
        ValueError: If the first file can't be read; for other files, with the first batch.
    """

    def __init__(
        self, folder: Path, split: str, size: int | None = None, channels: int | None = None
    ) -> None:
        self.folder = folder
        self.split = split
        self.size = size
        self.files = _files(folder, split)
        self.labels = _labels(folder, self.files, split)
        first = read_picture(self.files[0])
        self.channels = first.shape[2] if channels is None else channels
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
        from tqdm import tqdm

        decoded = torch.empty((len(self), *self.shape), dtype=torch.uint8)
        many = len(self) > _MANY
        files = tqdm(self.files, desc="reading images", unit="file", disable=not many)
        for index, file in enumerate(files):
            pixels = self._pixels(read_picture(file))
            if pixels.shape != self.shape:
                height, width = self.shape[1:]
                raise ValueError(
                    f"The images have different sizes: {self.files[0]} has {width} x {height} "
                    f"pixels but {file} has {pixels.shape[2]} x {pixels.shape[1]}; give a size to "
                    "which all are resized and cropped."
                )
            decoded[index] = pixels
        return decoded

    def _pixels(self, picture: np.ndarray) -> Tensor:
        return to_pixels(picture, self.channels, self.size)


def _files(folder: Path, split: str) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}; check the path behind 'folder:'.")
    own_splits = _has_own_splits(folder)
    root = folder / split if own_splits else folder
    files = sorted(_images(root), key=lambda path: path.relative_to(root).parts)
    if not own_splits:
        held_out = slice(_HELD_OUT - 1, None, _HELD_OUT)
        if split == "test":
            files = files[held_out]
        else:
            del files[held_out]
    if not files:
        raise FileNotFoundError(
            f"There are no images for the {split} split in {root}; files must end in "
            f"{', '.join(sorted(suffixes()))}, and without folders train and test a test split "
            f"needs at least {_HELD_OUT} of them."
        )
    return files


def _images(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        hidden = any(part[0] == "." for part in path.relative_to(root).parts)
        if path.suffix.lower() in suffixes() and not hidden:
            yield path


def _labels(folder: Path, files: list[Path], split: str) -> Tensor | None:
    """The number of every file's subfolder among those with images; None if one lies in none."""
    own_splits = _has_own_splits(folder)
    roots = [folder / "train", folder / "test"] if own_splits else [folder]
    root = folder / split if own_splits else folder
    parts = [file.relative_to(root).parts for file in files]
    if any(len(part) == 1 for part in parts):
        return None
    folders = (child for parent in roots for child in parent.iterdir() if child.is_dir())
    classes = sorted({c.name for c in folders if c.name[0] != "." and any(_images(c))})
    return torch.tensor([classes.index(part[0]) for part in parts])


def _has_own_splits(folder: Path) -> bool:
    return (folder / "train").is_dir() and (folder / "test").is_dir()
