"""Checks of arguments that are shared by the whole package; each failure is one sentence.

What reads numbers out of tensors is skipped while torch traces (`torch.export`, `torch.compile`):
a graph has no numbers yet.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from .quoting import shortened

__all__ = [
    "LARGEST",
    "REAL_TYPES",
    "SMALLEST",
    "HasArray",
    "ImageLike",
    "ImageSet",
    "as_array",
    "as_images",
    "as_real",
    "check_batch",
    "check_count",
    "check_data",
    "check_finite",
    "check_labels",
    "check_noise",
    "check_one_label_each",
    "check_range",
    "check_real",
    "in_precision_of",
    "is_traced",
    "per_sample",
    "shown",
    "trusted",
]

#: The largest number that any argument may be. Losses take fourth powers of a noise level, and
#: those are then finite in single precision, whose largest number is 3e38.
LARGEST = 1e9

#: The smallest number that an argument may be by which something is divided, likewise.
SMALLEST = 1e-9

#: The types of images, measurements and weights.
REAL_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@runtime_checkable
class HasArray(Protocol):
    """What NumPy arrays and Pillow's images have in common."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


@runtime_checkable
class ImageSet(Protocol):
    """A set of images that are read when they are needed, such as `softdiffusion.data.Images`."""

    def __len__(self) -> int:
        """The number of images."""

    def batch(self, indices: Tensor, /) -> Tensor:
        """The images at these indices, (B, C, ...), in [-1, 1]: the same every time."""


#: Whether values are trusted.
_TRUSTED = ContextVar("trusted", default=False)

#: What is taken for a batch of images: see `as_images`.
ImageLike = Tensor | HasArray | Sequence[HasArray]


def is_traced() -> bool:
    """Whether tensors have no numbers that could be checked, or are not to be asked for them.

    So it is while torch traces a graph, and where values are `trusted`.
    """
    return torch.compiler.is_compiling() or _TRUSTED.get()


@contextmanager
def trusted() -> Iterator[None]:
    """Does without checks of values in its block: a GPU would be waited for to have them.

    It is for values that follow from others that were checked.
    """
    before = _TRUSTED.set(True)
    try:
        yield
    finally:
        _TRUSTED.reset(before)


def shown(value: object) -> str:
    """What a value is, briefly, for the end of a message."""
    if isinstance(value, Tensor | np.ndarray):
        kind = "tensor" if isinstance(value, Tensor) else "NumPy array"
        return f"a {kind} of shape {tuple(value.shape)} and type {value.dtype}"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return f"{value:g}" if isinstance(value, float) else shortened(value)
    name = type(value).__name__
    return f"an {name}" if name[0] in "AEIOUaeiou" else f"a {name}"


def as_images(name: str, value: ImageLike) -> Tensor:
    """Returns a batch of images as a tensor (N, C, ...).

    NumPy arrays are taken as tensors are: real numbers in [-1, 1] of the shape (N, C, H, W). Those
    of 8 bits are refused, for their range is another. Pillow's images, one or a list of them in
    one size, have a scale of their own: grey ("L") and colour ("RGB") become (N, 1, H, W) or
    (N, 3, H, W), float32, by x / 127.5 - 1.

    Arguments:
        name: What the images are called in the message, in the plural.
        value: The images.

    Raises:
        TypeError: If it is nothing of the kind.
        ValueError: If there is no image or no pixel, the numbers are not real, or an axis is
            missing.
    """
    images = value if isinstance(value, Tensor) else _from_arrays(name, value)
    if images.dtype not in REAL_TYPES or images.layout != torch.strided:
        layout = "" if images.layout == torch.strided else f" in the layout {images.layout}"
        raise ValueError(
            f"{name} must be real numbers in [-1, 1], but have the type {images.dtype}{layout}; "
            "bring those of 8 bits there by x / 127.5 - 1."
        )
    if images.ndim < 3:
        raise ValueError(
            f"{name} must have the axes (N, C, H, W), but have the shape {tuple(images.shape)}."
        )
    if len(images) == 0:
        raise ValueError(f"At least one image is needed, but {name[0].lower()}{name[1:]} are none.")
    if 0 in images.shape:
        raise ValueError(
            f"At least one image with pixels is needed, but {name[0].lower()}{name[1:]} have the "
            f"shape {tuple(images.shape)}."
        )
    return images


def _from_arrays(name: str, value: Any) -> Tensor:
    if isinstance(value, np.ndarray):
        return _from_numpy(name, value)
    pictures = list(value) if isinstance(value, list | tuple) else [value]
    if not pictures or not all(map(_is_picture, pictures)):
        remedy = "; give its .tensor()" if callable(getattr(value, "tensor", None)) else ""
        raise TypeError(
            f"{name} must be a tensor or a NumPy array (N, C, H, W), or images of Pillow, but are "
            f"{shown(pictures[0] if isinstance(value, list | tuple) and pictures else value)}"
            f"{remedy}."
        )
    kinds = sorted({f"{p.mode} of {p.size[0]} x {p.size[1]}" for p in pictures})
    if len(kinds) > 1 or pictures[0].mode not in ("L", "RGB"):
        raise ValueError(
            f"{name} must be grey (L) or colour (RGB) in one size, but are {', '.join(kinds)}; "
            "bring them there by image.convert and image.resize."
        )
    pixels = torch.from_numpy(np.stack([np.array(picture) for picture in pictures]))
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return (pixels.float() / 127.5 - 1).contiguous()


def _is_picture(value: object) -> bool:
    """Whether it is one of Pillow's images, told without importing Pillow."""
    return all(hasattr(value, name) for name in ("__array_interface__", "mode", "convert", "size"))


def _from_numpy(name: str, array: np.ndarray) -> Tensor:
    if np.ma.is_masked(array):
        raise ValueError(f"{name} hold masked entries; fill them, as by array.filled(0).")
    try:
        # A copy: torch takes neither negative strides, nor arrays that it must not write to.
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    except TypeError:
        raise ValueError(
            f"{name} must be real numbers in [-1, 1], but have the type {array.dtype}; give them "
            "as float32."
        ) from None


def check_count(name: str, value: int, low: int, high: int) -> int:
    """Returns a whole number if it lies in [low, high].

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it lies outside.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number, but is {shown(value)}.")
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], but is {shown(int(value))}.")
    return int(value)


def check_range(name: str, value: float | Tensor, low: float, high: float) -> Tensor:
    """Returns `value` as a floating-point tensor if all of it lies in [low, high].

    Without an upper limit, 1e9 is the largest number.

    Arguments:
        name: What the value is called in the message.
        value: A number or a tensor of shape () or (B,).

    Raises:
        TypeError: If it is neither.
        ValueError: If the value has another shape, is not finite or lies outside the range.
    """
    if type(value) is float and low <= value <= min(high, LARGEST):
        return torch.tensor(value, dtype=torch.float64, device="cpu")
    tensor = _as_numbers(name, value)
    if tensor.numel() == 0:
        raise ValueError(f"{name} must hold a number, but is empty.")
    if tensor.ndim > 1:
        raise ValueError(
            f"{name} must be a number or one number a sample, shape (B,), but has shape "
            f"{tuple(tensor.shape)}."
        )
    if is_traced():
        return tensor
    largest = min(high, LARGEST)
    within = (tensor >= low) & (tensor <= largest)
    if not within.all():
        wrong = ~within
        first = tensor[wrong].flatten()[0].item()
        is_open = math.isinf(high) and not low <= first < math.inf
        limits = f"finite and >= {low:g}" if is_open else f"in [{low:g}, {largest:g}]"
        raise ValueError(f"{name} must be {limits}, but is {first:g}.")
    return tensor


def _as_numbers(name: str, value: Any) -> Tensor:
    """A number or numbers as a floating-point tensor."""
    if not isinstance(value, Tensor):
        if isinstance(value, bool | np.bool_):  # an int to Python
            raise TypeError(f"{name} must be a number, but is {value}.")
        try:
            # A plain number is kept in double precision: without axes it never widens a result.
            return torch.tensor(value, dtype=torch.float64, device="cpu")
        except OverflowError:
            raise ValueError(
                f"{name} must be at most {LARGEST:g}, but is {shown(value)}."
            ) from None
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(
                f"{name} must be a number or a tensor, but is {shown(value)}."
            ) from None
    if value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"{name} must be real numbers, but has the type {value.dtype}.")
    return value if value.is_floating_point() else value.double()


def check_finite(name: str, value: Tensor) -> Tensor:
    """Returns `value` if it holds neither NaN nor infinity.

    Raises:
        ValueError: If it does; the message counts the offending entries.
    """
    has_numbers = not is_traced() and value.device.type != "meta"
    # The sum is finite, unless an entry is not, or many are very large; counting takes longer.
    is_doubtful = has_numbers and not torch.isfinite(value.detach().sum())
    wrong = int((~torch.isfinite(value)).sum()) if is_doubtful else 0
    if wrong:
        raise ValueError(
            f"{name} must be finite, but {wrong} of its {value.numel()} entries are NaN or "
            "infinite."
        )
    return value


def check_data(data: ImageLike, name: str = "The images", clean: bool = True) -> Tensor:
    """Returns images, (N, C, ...), if they are finite real numbers, without their gradient.

    Arguments:
        data: The images.
        name: What they are called in the message, in the plural.
        clean: Whether they are images and no measurements: those without any number below zero,
            but with some above 2, are taken for bytes.

    Raises:
        TypeError: If they are no images.
        ValueError: If they are not finite, as `as_images` says, bytes, or beyond 1e9.
    """
    images = as_images(name, data).detach()
    if images.device.type == "meta":
        raise ValueError(f"{name} lie on the meta device, where they have no numbers.")
    check_finite(name, images)
    if is_traced():
        return images
    low, high = images.aminmax()
    if clean and low >= 0 and high > 2:
        raise ValueError(
            f"{name} must lie in [-1, 1], but go from {low:g} to {high:g}; bring bytes there by "
            "x / 127.5 - 1."
        )
    if max(high, -low) > LARGEST:
        raise ValueError(f"{name} must lie in [-1, 1], but reach {images.abs().max():g}.")
    return images


def check_real(name: str, value: Tensor) -> Tensor:
    """Returns a tensor if its numbers are real.

    Raises:
        ValueError: If they are whole numbers, truth values or complex.
    """
    if value.dtype not in REAL_TYPES:
        raise ValueError(
            f"{name} must be real numbers, but the type is {value.dtype}; bring them to float32."
        )
    return value


def as_real(name: str, value: Tensor) -> Tensor:
    """Returns numbers of a real type as they are, and whole numbers in double precision.

    Raises:
        ValueError: If they are truth values or complex, or there are none.
    """
    if value.numel() == 0:
        raise ValueError(f"{name} must not be empty, but the shape is {tuple(value.shape)}.")
    if value.dtype == torch.bool or value.is_complex() or value.layout != torch.strided:
        raise ValueError(
            f"{name} must be real numbers in a dense tensor, but the type is {value.dtype}."
        )
    return value if value.is_floating_point() else value.double()


def as_array(name: str, value: Any, dtype: torch.dtype) -> Tensor:
    """Returns finite numbers in nested lists, an array or a tensor as a tensor of a type.

    Raises:
        ValueError: If they are none, there are none, or one is not finite.
    """
    try:
        # A list is read in the precision that is asked for; of an array the type is its own.
        own = isinstance(value, Tensor | np.ndarray)
        tensor = torch.as_tensor(value, dtype=None if own else dtype)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"{name} is no array of numbers: {reason}.") from None
    if tensor.dtype == torch.bool:  # black and white
        tensor = tensor.to(dtype)
    return check_finite(name, as_real(name, tensor).to(dtype))


def in_precision_of(images: Tensor, value: Tensor) -> Tensor:
    """A tensor on the device and in the precision of images, complex if it is complex."""
    precision = images.dtype.to_real()
    return value.to(images.device, precision.to_complex() if value.is_complex() else precision)


def check_batch(values: int, images: int) -> None:
    """Raises unless one value meets every image, or one image every value.

    Raises:
        ValueError: If the two numbers differ and neither is 1.
    """
    if values != images and 1 not in (values, images):
        raise ValueError(
            f"{values} values do not fit a batch of {images} images; give one value, or one for "
            "every image."
        )


def check_labels(labels: Tensor | None, classes: int, images: int) -> Tensor | None:
    """Returns the labels if they are one class an image, in [0, classes) or -1 for an open one.

    Raises:
        ValueError: If there are no classes, or number, type or range of the labels is another.
    """
    if labels is None:
        return None
    if not classes:
        raise ValueError(
            "Labels were given, but the model knows no classes; leave them out, or train a "
            "backbone with classes."
        )
    check_one_label_each(labels, images)
    if is_traced():
        return labels
    wrong = labels[(labels < -1) | (labels >= classes)]
    if len(wrong):
        raise ValueError(
            f"Labels must lie in [0, {classes - 1}], or be -1 for no class, but one is "
            f"{int(wrong[0])}."
        )
    return labels


def check_one_label_each(labels: Tensor, images: int) -> None:
    """Raises unless there is one label of type int64 for every image.

    Raises:
        ValueError: If number or type of the labels is another.
    """
    if not isinstance(labels, Tensor):
        raise TypeError(
            f"Labels must be a tensor of type int64, one an image, but are {shown(labels)}."
        )
    if labels.shape != (images,) or labels.dtype != torch.int64:
        raise ValueError(
            f"{images} images need {images} labels of type int64, but the labels are "
            f"{labels.dtype} of shape {tuple(labels.shape)}."
        )


def check_noise(sigma_y: float | Tensor) -> None:
    """Raises unless the noise of a measurement is finite and >= 0.

    Raises:
        ValueError: If it is not.
    """
    check_range("The measurement's noise sigma_y", sigma_y, 0.0, math.inf)


def per_sample(value: float | Tensor, like: Tensor) -> Tensor:
    """Shapes a number or one number a sample so that it broadcasts against a batch of images.

    A batch of one image meets any number of values, and one value any batch.

    Arguments:
        value: A number or a tensor of shape () or (B,).
        like: A batch, shape (B, ...), that also gives device and (at least float32) precision.

    Returns:
        A tensor of shape () or (B, 1, ..., 1) with as many axes as `like`.

    Raises:
        ValueError: If there are several values, but another number of images.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    tensor = torch.as_tensor(value, dtype=dtype, device=like.device)
    if tensor.ndim == 0:
        return tensor
    check_batch(len(tensor), len(like))
    return tensor.reshape(-1, *(1,) * (like.ndim - 1))
