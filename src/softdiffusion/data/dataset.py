"""Data sets of torch."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from ..checks import as_images, shown
from ..quoting import in_one_line
from .images import ArrayImages, Images

__all__ = ["DatasetImages"]

#: For more items than this, a progress bar is shown while they are read for the first time.
_MANY = 1_000

#: So many items are read twice, to see whether they are the same; an item that its own generator
#: mirrors or not would pass once in 2^16 times.
_TWICE = 16


class DatasetImages(Images):
    """The images of a `torch.utils.data.Dataset`, which may draw random transforms.

    An item is an image, a pair of an image and a label, or a mapping with "image" and, if there are
    labels, "label". An image is a tensor or NumPy array (C, H, W), uint8, or float of any precision
    in [-1, 1], which becomes float32; or one of Pillow's, grey or colour. Labels are whole numbers
    from 0 on, or -1 for none.

    Before an item is read, the global generators of Python, NumPy and torch (on the CPU) are
    seeded, and afterwards they are as they were: by the number of the item for `batch`, and by the
    seed of a training and its position for `draw`. All items are read once at the start, for their
    labels, their shape and the digest.

    Arguments:
        dataset: The data set, with a length.
        name: What the set is called in reports.

    Raises:
        TypeError: If it is no such data set.
        ValueError: If it has no item, an item is something else, images differ in shape, some have
            labels and others none, no value is below 0, or items are not the same when they are
            read again.
    """

    uses_global_random = True

    def __init__(self, dataset: Dataset[Any], name: str = "data") -> None:
        if isinstance(dataset, IterableDataset):
            raise TypeError(
                f"The data must have an order that can be resumed, but are {shown(dataset)}; give "
                "a data set with a length, or softdiffusion.data.Stream for one of Hugging Face."
            )
        if not hasattr(dataset, "__len__"):
            raise TypeError(
                f"The data must have a length, but are {shown(dataset)}; give it a method __len__."
            )
        if len(dataset) == 0:
            raise ValueError(f"{name} holds no images; give a data set with items.")
        self.dataset = dataset
        self.name = name
        self._count = len(dataset)
        self._read_all()

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Tensor) -> Tensor:
        return self.draw(indices, indices)

    def draw(self, indices: Tensor, seeds: Tensor) -> Tensor:
        with _generators_kept():
            pairs = zip(indices.tolist(), seeds.tolist(), strict=True)
            return torch.stack(
                [_image(self._where(i), self._item(i, seed)[0]) for i, seed in pairs]
            )

    def digest(self) -> str:
        return self._content

    def _read_all(self) -> None:
        from tqdm import tqdm

        labels: list[int | None] = []
        content = hashlib.sha256()
        low = torch.inf
        with _generators_kept():
            for index in tqdm(
                range(len(self)), "reading items", unit="item", disable=len(self) <= _MANY
            ):
                item, label = self._item(index, index)
                image = _image(self._where(index), item)
                if index == 0:
                    self.shape = (image.shape[0], image.shape[1], image.shape[2])
                    content.update(repr((len(self), *self.shape)).encode())
                if index < _TWICE and not torch.equal(image, self.batch(torch.tensor([index]))[0]):
                    raise ValueError(
                        f"There is another image in {self._where(index)} when it is read again, so "
                        "no training could be resumed; let its transforms draw from the global "
                        "generators of Python, NumPy or torch, which are seeded."
                    )
                if tuple(image.shape) != self.shape:
                    raise ValueError(
                        f"The images of {self.name} must have one shape, but the first is "
                        f"{self.shape} and item {index} is {tuple(image.shape)}; resize and crop "
                        "them in the data set's transform."
                    )
                content.update(image.numpy().tobytes())
                low = min(low, float(image.min()) if _is_float(item) else -1)
                labels.append(label)
        if low >= 0:
            raise ValueError(
                f"No value of {self.name} lies below 0, as if black were 0 and not -1; map float "
                "images from [0, 1] by 2 x - 1, or give uint8."
            )
        self._content = content.hexdigest()
        self.labels = self._labels(labels)

    def _labels(self, labels: list[int | None]) -> Tensor | None:
        missing = labels.count(None)
        if missing == len(labels):
            return None
        if missing:
            raise ValueError(
                f"There is no label in {self._where(labels.index(None))}, but others have; give it "
                "-1, which stands for none."
            )
        found = torch.tensor(labels, dtype=torch.int64)
        if int(found.min()) < -1:
            raise ValueError(
                f"The labels of {self.name} must be -1 for no class, or at least 0, but item "
                f"{int(found.argmin())} has {int(found.min())}."
            )
        return found

    def _where(self, index: int) -> str:
        return f"item {index} of {self.name}"

    def _item(self, index: int, seed: int) -> tuple[Any, int | None]:
        """An image as it is given, and its label, after the generators were seeded."""
        _seed(seed)
        item = self.dataset[index]
        where = self._where(index)
        label = None
        if isinstance(item, Mapping):
            if "image" not in item:
                found = in_one_line(", ".join(map(str, item))) or "nothing"
                raise ValueError(
                    f"There is no image in {where}, but {found}; call it 'image', and the label "
                    "'label'."
                )
            item, label = item["image"], item.get("label")
        elif isinstance(item, tuple | list):
            if len(item) not in (1, 2):
                raise ValueError(
                    f"There are {len(item)} parts in {where}; give an image, or one and its label."
                )
            item, label = item[0], item[1] if len(item) == 2 else None
        return item, None if label is None else _label(where, label)


def _is_float(image: Any) -> bool:
    """Whether an image comes as numbers whose range is not known."""
    if isinstance(image, np.ndarray):
        return image.dtype.kind == "f"
    return isinstance(image, Tensor) and image.is_floating_point()


def _image(where: str, image: Any) -> Tensor:
    """An image as float32 in [-1, 1], (C, H, W)."""
    if not isinstance(image, Tensor | np.ndarray):
        return as_images(f"The images of {where}", image)[0]
    shape = tuple(image.shape)
    if len(shape) != 3 or (shape[2] in (1, 3) and shape[0] not in (1, 3)):
        turned = "permute(2, 0, 1)" if isinstance(image, Tensor) else "transpose(2, 0, 1)"
        remedy = f"with channels last give image.{turned}" if len(shape) == 3 else "reshape it"
        raise ValueError(
            f"The image of {where} must be of shape (C, H, W), but is of shape {shape}; {remedy}."
        )
    if not _is_float(image) and str(image.dtype) not in ("uint8", "torch.uint8"):
        raise ValueError(
            f"The image of {where} must be uint8 or float, but is {image.dtype}; convert it."
        )
    if isinstance(image, np.ndarray):
        image = torch.tensor(image.astype(np.float32 if _is_float(image) else np.uint8))
    elif _is_float(image):
        image = image.float()
    return ArrayImages(where, image[None]).tensor()[0]


def _label(where: str, label: Any) -> int:
    if isinstance(label, Tensor | np.ndarray) and label.ndim == 0:
        label = label.item()
    is_whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
    if not is_whole or not -(2**63) <= label < 2**63:
        raise ValueError(
            f"The label of {where} must be a whole number of 64 bits, but is {shown(label)}."
        )
    return int(label)


def _seed(seed: int) -> None:
    """Seeds the global generators on the CPU; torch.manual_seed would seed a GPU's, too."""
    random.seed(seed)
    np.random.seed([seed & 0xFFFFFFFF, seed >> 32])
    torch.default_generator.manual_seed(seed)


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Brings the global generators back to where they were."""
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.default_generator.set_state(states[2])
