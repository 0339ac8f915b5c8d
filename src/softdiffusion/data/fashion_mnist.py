"""Fashion-MNIST, from its four IDX files."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["DEBIAN_FOLDER", "load_fashion_mnist"]

#: Where Debian's package dataset-fashion-mnist puts the files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def load_fashion_mnist(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """Returns images (N, 1, 28, 28) as uint8 and labels (N,): 60,000 for training, 10,000 for test.

    Arguments:
        folder: Holds `train-images-idx3-ubyte` and its three companions, each plain or as .gz.
        split: "train" or "test".

    Raises:
        FileNotFoundError: If a file is missing; the message says how to get it.
        ValueError: If a file is damaged.
    """
    prefix = "t10k" if split == "test" else "train"
    images = _read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), axes=3)
    labels = _read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), axes=1)
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
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"The file {path} is damaged ({error}); fetch it again.") from None
    header = 4 + 4 * axes
    if len(content) < header or content[:4] != bytes((0, 0, 8, axes)):
        raise ValueError(
            f"The file {path} is damaged: it is not an IDX file of bytes with {axes} axes; "
            "fetch it again."
        )
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))
    if len(content) != header + math.prod(shape):
        raise ValueError(
            f"The file {path} is damaged: it announces {math.prod(shape)} values but holds "
            f"{len(content) - header}; fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()
