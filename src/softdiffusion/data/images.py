"""Sets of images."""

import functools
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..checks import check_finite, shown

__all__ = ["ArrayImages", "Images", "check_classes", "to_float"]

#: Images that are hashed at once.
_CHUNK = 4096


class Images(ABC):
    """A set of images of one shape.

    Attributes:
        name: What the set is called in reports.
        shape: The shape (C, H, W) of an image.
        labels: The class of every image, int64, (N,), or None.
        classes: The names of the classes, by their numbers, or None. A split without labels has
            them, too, if the other split has labels.
        notes: What the set was taken for and what was left out of it, each in a few words.
        uses_global_random: Whether what is drawn comes from the global random numbers of torch,
            NumPy or Python, so that it can't be drawn beside a training in the same process.
    """

    name: str
    shape: tuple[int, int, int]
    labels: Tensor | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    uses_global_random: bool = False

    @abstractmethod
    def __len__(self) -> int:
        """The number of images."""

    @abstractmethod
    def batch(self, indices: Tensor) -> Tensor:
        """The images at these indices, (B, C, H, W), float32 in [-1, 1]: the same every time."""

    def draw(self, indices: Tensor, seeds: Tensor) -> Tensor:
        """The images at these indices as a training sees them, (B, C, H, W), float32 in [-1, 1].

        A set that draws something, such as the window of a crop, draws it from the seeds alone.

        Arguments:
            indices: The indices, (B,).
            seeds: One an image, int64 >= 0, (B,): they follow from a training's seed and position.
        """
        return self.batch(indices)

    def tensor(self) -> Tensor:
        """All images, (N, C, H, W), float32 in [-1, 1]."""
        return self.batch(torch.arange(len(self)))

    def digest(self) -> str:
        """The SHA-256 of the shape and of all images as float32, in their order, in hexadecimal.

        It is computed once; equal images have equal digests however they are stored.
        """
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        content = hashlib.sha256(repr((len(self), *self.shape)).encode())
        for indices in torch.arange(len(self)).split(_CHUNK):
            content.update(self.batch(indices).numpy().tobytes())
        return content.hexdigest()


class ArrayImages(Images):
    """Images that are held in memory.

    Arguments:
        name: What the set is called in reports.
        images: The images, (N, C, H, W), a tensor or a NumPy array: uint8 in [0, 255], or float32
            (in NumPy also float64) in [-1, 1].
        labels: The class of every image, whole numbers from 0 on, or -1 for none, (N,), or None.
        classes: The names of the classes, by their numbers, or None.
        notes: What is said about the set.

    Raises:
        TypeError: If images are neither a tensor nor an array.
        ValueError: If there is no image, the type or the number of axes is another, labels and
            images differ in number, a label has no class, or float images are not finite or not
            within [-1, 1].
    """

    def __init__(
        self,
        name: str,
        images: Tensor | np.ndarray,
        labels: Tensor | np.ndarray | None = None,
        classes: Sequence[str] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        if isinstance(images, np.ndarray):
            images = _from_numpy(images)
        if isinstance(labels, np.ndarray):
            labels = torch.tensor(labels)
        if not isinstance(images, Tensor):
            raise TypeError(
                f"The images of {name} must be a tensor or a NumPy array of shape (N, C, H, W), "
                f"but are of type {type(images).__name__}."
            )
        if images.ndim != 4 or images.dtype not in (torch.uint8, torch.float32):
            raise ValueError(
                f"Images must be uint8 or float32 of shape (N, C, H, W), but {name} is "
                f"{images.dtype} of shape {tuple(images.shape)}."
            )
        images = images.detach()
        if images.numel() == 0:
            raise ValueError(f"{name} holds no images; give at least one, of at least one pixel.")
        if images.is_floating_point():
            most = check_finite(f"Images of {name}", images).abs().max()
            if most > 1:
                raise ValueError(f"Images must lie in [-1, 1], but {name} reaches {most:g}.")
        self.name = name
        self.images = images
        self.classes = None if classes is None else tuple(classes)
        self.labels = (
            None if labels is None else check_classes(labels, len(images), self.classes, name)
        )
        self.notes = tuple(notes)
        channels, height, width = images.shape[1:]
        self.shape = (channels, height, width)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Tensor:
        return to_float(self.images[indices])


def to_float(images: Tensor) -> Tensor:
    """Maps uint8 images from 0, ..., 255 to [-1, 1]; float images stay as they are."""
    return images if images.is_floating_point() else images.float().div_(127.5).sub_(1)


def _from_numpy(images: np.ndarray) -> Tensor:
    """A copy, so that arrays that can't be written to, or run backwards, serve as well."""
    images = images.astype(images.dtype.newbyteorder("="))
    if images.dtype == np.float64:  # NumPy's default
        images = images.astype(np.float32)
    if images.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f"Images must be uint8 or float32, but the array's type is {images.dtype}; convert it "
            "with astype."
        )
    if images.ndim == 4 and images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        raise ValueError(
            f"Images must be of shape (N, C, H, W), but the array is of shape {images.shape}, with "
            "the channels last; give array.transpose(0, 3, 1, 2)."
        )
    return torch.tensor(images)


def check_classes(
    labels: Tensor, images: int, classes: tuple[str, ...] | None, name: str
) -> Tensor:
    """Returns labels as int64, (N,), if they are one class an image, or -1 for none.

    Raises:
        TypeError: If they are no tensor.
        ValueError: If number, type or range of the labels is another.
    """
    if not isinstance(labels, Tensor):
        raise TypeError(
            f"The labels of {name} must be a tensor or a NumPy array, but are {shown(labels)}."
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"Labels must be whole numbers, but those of {name} are {labels.dtype}.")
    if labels.shape != (images,):
        raise ValueError(
            f"{name} has {images} images but labels of shape {tuple(labels.shape)}; give one label "
            "an image."
        )
    labels = labels.long()
    wrong = labels[(labels < -1) | (labels >= (torch.inf if classes is None else len(classes)))]
    if len(wrong):
        most = "" if classes is None else f" and at most {len(classes) - 1}, the last class"
        raise ValueError(
            f"The labels of {name} must be -1 for no class, or at least 0{most}, but one is "
            f"{int(wrong[0])}."
        )
    return labels
