"""Checks of arguments that are shared by the whole package; each failure is one sentence."""

import math

import torch
from torch import Tensor

__all__ = [
    "check_batch",
    "check_data",
    "check_finite",
    "check_labels",
    "check_noise",
    "check_one_label_each",
    "check_range",
    "check_real",
    "per_sample",
]


def check_range(name: str, value: float | Tensor, low: float, high: float) -> Tensor:
    """Returns `value` as a floating-point tensor if all of it lies in [low, high].

    Arguments:
        name: What the value is called in the message.
        value: A number or a tensor of shape () or (B,).

    Raises:
        ValueError: If the value has another shape, is not finite or lies outside the range.
    """
    # A plain number is kept in double precision: as a tensor without axes it never widens a result.
    tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
    if not tensor.is_floating_point():
        tensor = tensor.double()
    if tensor.ndim > 1:
        raise ValueError(
            f"{name} must be a number or one number a sample, shape (B,), but has shape "
            f"{tuple(tensor.shape)}."
        )
    wrong = ~((tensor >= low) & (tensor <= high) & torch.isfinite(tensor))
    if wrong.any():
        first = tensor[wrong].flatten()[0].item()
        limits = f"in [{low:g}, {high:g}]" if math.isfinite(high) else f"finite and >= {low:g}"
        raise ValueError(f"{name} must be {limits}, but is {first:g}.")
    return tensor


def check_finite(name: str, value: Tensor) -> Tensor:
    """Returns `value` if it holds neither NaN nor infinity.

    Raises:
        ValueError: If it does; the message counts the offending entries.
    """
    wrong = int((~torch.isfinite(value)).sum())
    if wrong:
        raise ValueError(
            f"{name} must be finite, but {wrong} of its {value.numel()} entries are NaN or "
            "infinite."
        )
    return value


def check_data(data: Tensor) -> Tensor:
    """Returns images, (N, C, ...), if there are some, and they are finite real numbers.

    Raises:
        ValueError: If they are not.
    """
    check_real(data)
    if len(data) == 0:
        raise ValueError("At least one image is needed, but there is none.")
    return check_finite("The images", data)


def check_real(data: Tensor) -> Tensor:
    """Returns images if they are of a floating-point type.

    Raises:
        ValueError: If they are not: those of 8 bits have another range, and lose all noise.
    """
    if not data.is_floating_point():
        raise ValueError(
            f"The images must be real numbers in [-1, 1], but have the type {data.dtype}; bring "
            "those of 8 bits there by x / 127.5 - 1."
        )
    return data


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
    if labels.shape != (images,) or labels.dtype != torch.int64:
        raise ValueError(
            f"{images} images need {images} labels of type int64, but the labels are "
            f"{labels.dtype} of shape {tuple(labels.shape)}."
        )


def check_noise(sigma_y: float) -> None:
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
