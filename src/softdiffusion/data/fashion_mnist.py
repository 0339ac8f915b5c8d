"""Fashion-MNIST, from its four IDX files."""

import gzip
import math
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
    images = _read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"))
    labels = _read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"))
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


def _read_idx(path: Path) -> np.ndarray:
    """Reads an IDX file of bytes: a magic number, one size an axis, then the numbers."""
    try:
        content = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, OSError) as error:
        raise ValueError(f"The file {path} is damaged ({error}); fetch it again.") from None
    axes = content[3] if len(content) > 3 and content[:3] == b"\0\0\x08" else 0
    header = 4 + 4 * axes
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))
    if axes == 0 or len(shape) != axes or len(content) != header + math.prod(shape):
        raise ValueError(
            f"The file {path} is damaged: it is not an IDX file of bytes, or its {len(content)} "
            f"bytes do not hold the {shape} values that it announces; fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()
