"""What is taken for a set of images in Python."""

from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ..checks import ImageLike, as_images
from .dataset import DatasetImages
from .images import ArrayImages, Images

__all__ = ["SetLike", "as_set"]

#: What is taken for a set of images: see `as_set`.
SetLike = Images | ImageLike | Dataset[Any]


def as_set(data: SetLike) -> Images:
    """A set of images as it is, or what is one as a set called "data".

    Those are tensors, NumPy arrays, images of Pillow and `torch.utils.data.Dataset`s of images.

    Raises:
        TypeError: If it is nothing of the kind.
        ValueError: As `ArrayImages` or `DatasetImages`.
    """
    if isinstance(data, Images):
        return data
    if isinstance(data, Dataset):
        return DatasetImages(data)
    if isinstance(data, Tensor):
        return ArrayImages("data", data.cpu())
    return ArrayImages("data", data if isinstance(data, np.ndarray) else as_images("data", data))
