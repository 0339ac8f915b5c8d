"""Data sets of Hugging Face with known pixels.

Their package is imported where it is used: that takes three seconds, which no other test should.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

NAMES = ("cat", "dog")


def pixels(seed: int, height: int = 12, width: int = 12) -> np.ndarray:
    """A picture in colour, uint8 (H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_image(array: np.ndarray) -> torch.Tensor:
    """A picture in colour as an image (3, H, W)."""
    return torch.from_numpy(array).permute(2, 0, 1).float() / 127.5 - 1


def images(numbers: list[int]) -> torch.Tensor:
    """The images of rows, (N, 3, 12, 12)."""
    return torch.stack([as_image(pixels(number)) for number in numbers])


def as_png(array: np.ndarray) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def features() -> Any:
    """An image and one of two classes."""
    import datasets

    return datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(NAMES))}
    )


def row(number: int) -> dict[str, Any]:
    """A picture of its own, and the classes in turn."""
    return {"image": {"bytes": as_png(pixels(number)), "path": None}, "label": number % 2}


def map_style(count: int, start: int = 0) -> Any:
    """A `datasets.Dataset` of the rows from `start` on."""
    import datasets

    return datasets.Dataset.from_list(
        [row(i) for i in range(start, start + count)], features=features()
    )


def streamed(*shards: int) -> Any:
    """A `datasets.IterableDataset` of shards with so many rows, numbered through."""
    import datasets

    ends = np.cumsum(shards).tolist()
    parts = [list(range(end - count, end)) for end, count in zip(ends, shards, strict=True)]
    return datasets.IterableDataset.from_generator(
        _rows, features=features(), gen_kwargs={"parts": parts}
    )


def _rows(parts: list[list[int]]) -> Iterator[dict[str, Any]]:
    for part in parts:
        yield from map(row, part)
