"""Fashion-MNIST, from its four IDX files."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..files import check_regular

__all__ = ["DEBIAN_FOLDER", "GARMENTS", "load_fashion_mnist"]

#: The names of the classes, as the data set's authors give them.
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

#: The most values of a file, twenty times those of Fashion-MNIST; a small .gz may hold any number.
_MOST_VALUES = 2**30

#: Where Debian's package dataset-fashion-mnist puts the files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def load_fashion_mnist(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """Returns images (N, 1, 28, 28) as uint8 and labels (N,): 60,000 for training, 10,000 for test.

    Arguments:
        folder: Holds `train-images-idx3-ubyte` and its three companions, each plain or as .gz.
        split: "train" or "test".

    Raises:
        FileNotFoundError: If a file is missing; the message says how to get it.
        ValueError: If a file is damaged, or no regular file.
    """
    prefix = "t10k" if split == "test" else "train"
    images = _read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), axes=3)
    labels = _read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), axes=1)
    if labels.max(initial=0) >= len(GARMENTS):
        raise ValueError(
            f"The labels {prefix}-labels-idx1-ubyte in {folder} are damaged: they reach "
            f"{labels.max()}, but there are {len(GARMENTS)} classes; fetch them again."
        )
    return torch.from_numpy(images)[:, None], torch.from_numpy(labels).long()


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"Fashion-MNIST's file {name}(.gz) is not in {folder}; install Debian's package with "
        "'apt-get install dataset-fashion-mnist', or name the folder that has the four IDX files "
        "as fashion-mnist:PATH."
    )


def _read_idx(path: Path, axes: int) -> np.ndarray:
    """Reads an IDX file of bytes: a magic number, one size an axis, then the numbers."""
    check_regular(path)
    size = 4 + 4 * axes
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(size)
            if len(header) < size or header[:4] != bytes((0, 0, 8, axes)):
                raise ValueError(f"it is not an IDX file of bytes with {axes} axes")
            shape = tuple(int(length) for length in np.frombuffer(header[4:], ">u4"))
            count = math.prod(shape)
            if not 0 < count <= _MOST_VALUES:
                raise ValueError(
                    f"it announces {count:,} values, but 1 to {_MOST_VALUES:,} can be read"
                )
            values = file.read(count)
            if len(values) != count:
                raise ValueError(f"it announces {count} values but holds {len(values)}")
            if file.read(1):
                raise ValueError(f"it announces {count} values but holds more")
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"The file {path} is damaged: {error}; fetch it again.") from None
    return np.frombuffer(values, np.uint8).reshape(shape).copy()
