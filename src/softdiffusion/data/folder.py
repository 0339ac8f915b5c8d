"""Folders of image files that have one size, or are brought to it."""

from functools import partial
from pathlib import Path

from .decoded import DecodedImages
from .pictures import Pictures
from .split import Split

__all__ = ["FolderImages", "folder_pictures"]


class FolderImages(DecodedImages):
    """The image files below a folder, sorted by relative path.

    Folders `train` and `test` (or `val`, `validation`, ...) are the splits; without them every
    tenth file (the 10th, 20th, ...) is the test split and the others are the training split. If
    every file lies in a subfolder of its split, these are the classes: their names, sorted, are
    numbered from 0 in `labels`. docs/data.md has the table of all layouts; any other is refused.
    Links are followed. What is hidden, by a dot, and what can't be read is left out; `notes` count
    it.

    All files are decoded when the first batch is asked for, and kept as uint8: in a cache that
    later sets and other processes read from, or, if they are few and small and no cache is named,
    in memory. They show what a viewer shows; see `softdiffusion.pictures.read_picture`.

    Arguments:
        folder: The folder; its subfolders are searched too.
        split: "train" or "test".
        size: The short side is resized to this many pixels (Lanczos, antialiased), and the centre
            is cropped to a square; None keeps the size that all files then must share.
        channels: 1 for grey, 3 for RGB; None takes RGB if any file of any split has colour, by its
            header.
        cache: The folder for caches; None is the user's, for more than 1,000 files or 4 MB of them.

    Raises:
        FileNotFoundError: If the folder does not exist or has no images for this split.
        ValueError: If the layout has no meaning, or the first file can't be read; for other files,
            with the first batch.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        size: int | None = None,
        channels: int | None = None,
        cache: Path | None = None,
    ) -> None:
        self.folder = folder
        self.split = split
        super().__init__(folder_pictures(folder, split, size, channels, cache, square=True))

    @property
    def files(self) -> list[Path]:
        """The files in their order, as they lie there now."""
        return [Path(file) for file in Split.of(self.folder, self.split).files]


def folder_pictures(
    folder: Path,
    split: str,
    size: int | None,
    channels: int | None,
    cache: Path | None,
    square: bool,
) -> Pictures:
    """The pictures of one split of a folder; for the arguments see `FolderImages` and `Pictures`.

    Raises:
        FileNotFoundError: If the folder does not exist or has no images for this split.
        ValueError: If the layout has no meaning, or the first file can't be read.
    """
    name = f"folder:{folder.resolve().name}"
    return Pictures(partial(Split.of, folder, split), name, size, channels, cache, square)
