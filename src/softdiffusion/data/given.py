"""What is taken for a set of images in Python."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ..checks import ImageLike, as_images
from .dataset import DatasetImages
from .hub import HubImages
from .images import ArrayImages, Images

__all__ = ["SetLike", "as_set"]


@runtime_checkable
class Table(Protocol):
    """What tells a `datasets.Dataset` without importing its package: columns with types."""

    @property
    def features(self) -> Any: ...

    def cast_column(self, column: str, feature: Any) -> Any: ...


#: What is taken for a set of images: see `as_set`.
SetLike = Images | ImageLike | Dataset[Any] | Table


def as_set(data: SetLike) -> Images:
    """A set of images as it is, or what is one as a set called "data".

    Those are tensors, NumPy arrays, images of Pillow, and data sets of torch and of Hugging Face.

    Raises:
        TypeError: If it is nothing of the kind.
        ValueError: As `ArrayImages`, `DatasetImages` or `HubImages`.
    """
    if isinstance(data, Images):
        return data
    if isinstance(data, Dataset):
        return DatasetImages(data)
    if isinstance(data, Table):
        return HubImages(data)
    if isinstance(data, Tensor):
        return ArrayImages("data", data.cpu())
    return ArrayImages("data", data if isinstance(data, np.ndarray) else as_images("data", data))
