"""Image files that are read as they are: neither resized nor converted."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..pictures import read_picture, suffixes, to_pixels
from ..quoting import in_one_line
from .images import to_float
from .listing import listed, summed

__all__ = ["Unread", "image_files", "read_images"]

#: As many files that can't be read are written out beside the first.
_NAMES = 5


def read_images(
    path: str | Path, shape: tuple[int, int, int] | None = None
) -> tuple[Tensor, list[str]]:
    """Reads one image file, or all those that lie in a folder.

    Arguments:
        path: The file or the folder; subfolders are not searched. For what else is left out, see
            `image_files`.
        shape: The shape (C, H, W) that every image must have, or have once grey is taken as
            colour; None follows the first one.

    Returns:
        The images in the order of their names, (N, C, H, W), float32 in [-1, 1], and the names
        without their suffixes.

    Raises:
        FileNotFoundError: If there is no such file, or no image in the folder.
        ValueError: If a file can't be read, an image has another shape, or two have one name.
    """
    files, _ = image_files(path)
    images = []
    for index, picture in _read_each(files):
        height, width, channels = picture.shape
        found = (channels, height, width)
        shape = shape or found
        # Grey shows the same in three channels; colour in one would lose something.
        if shape not in (found, (3, height, width)):
            raise ValueError(
                f"The image {in_one_line(files[index])} is {_described(found)}, but "
                f"{_described(shape)} are needed; convert it first."
            )
        images.append(to_pixels(picture, shape[0]))
    return to_float(torch.stack(images)), [file.stem for file in files]


def _read_each(files: Iterable[Path]) -> Iterator[tuple[int, np.ndarray]]:
    """Every picture with its index; those that can't be read are named together at the end.

    Raises:
        ValueError: If one or more can't be read, once the others have been given.
    """
    unread = Unread()
    for index, file in enumerate(files):
        try:
            picture = read_picture(file)
        except (FileNotFoundError, ValueError) as error:
            unread.add(file, str(error))
            continue
        yield index, picture
    unread.check()


class Unread:
    """Files that can't be read, which are named together."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._reason = ""

    def add(self, file: str | Path, reason: str) -> None:
        """Adds a file with a sentence that says why; that of the first one is kept."""
        self._reason = self._reason or reason
        self._names.append(in_one_line(file))

    def check(self) -> None:
        """Raises if there are any.

        Raises:
            ValueError: If there are; it names the first ones and counts the others.
        """
        first, *others = self._names or [""]
        if not first:
            return
        if not others:
            raise ValueError(self._reason)
        names = ", ".join(others[:_NAMES])
        more = f" and {len(others) - _NAMES:,} more" if len(others) > _NAMES else ""
        count = f"{len(others):,} other" + ("s" if len(others) > 1 else "")
        raise ValueError(
            f"{self._reason.removesuffix('.')}, and the same of {count}: {names}{more}."
        )


def image_files(path: str | Path) -> tuple[list[Path], tuple[str, ...]]:
    """The files that `read_images` reads, in their order, and what is left out, in words.

    Raises:
        FileNotFoundError: If there is no such file, or no image in the folder.
        ValueError: If two have one name, or the folder can't be read.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.exists():
            raise FileNotFoundError(
                f"There is no file or folder {in_one_line(path)}; check the path."
            )
        return [path], ()
    listing = listed(path, deep=False)
    kinds = Counter({kind: count for (_, kind), count in listing.left_out.items()})
    kinds["folders"] = len(listing.folders)
    notes = (f"left out: {summed(+kinds)}",) if +kinds else ()
    files = [path.joinpath(*parts) for parts in listing.pictures]
    if not files:
        raise FileNotFoundError(
            f"There are no images in {in_one_line(path)}{' '.join(('', *notes))}; files must end "
            f"in {', '.join(sorted(suffixes()))}."
        )
    (name, count), *_ = Counter(file.stem for file in files).most_common(1)
    if count > 1:
        raise ValueError(
            f"Two images in {in_one_line(path)} are called {in_one_line(name)}; rename one of them."
        )
    return files, notes


def _described(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} pixels in {'grey' if channels == 1 else f'{channels} channels'}"
