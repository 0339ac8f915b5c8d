"""Checks of arguments that are shared by the whole package; each failure is one sentence."""

import math

import torch
from torch import Tensor

__all__ = ["check_finite", "check_range", "per_sample"]


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
            f"{name} must be finite, but {wrong} of its {value.numel()} entries are NaN or infinite."
        )
    return value


def per_sample(value: float | Tensor, like: Tensor) -> Tensor:
    """Shapes a number or one number a sample so that it broadcasts against a batch of images.

    Arguments:
        value: A number or a tensor of shape () or (B,).
        like: A batch, shape (B, ...), that also gives device and (at least float32) precision.

    Returns:
        A tensor of shape () or (B, 1, ..., 1) with as many axes as `like`.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    tensor = torch.as_tensor(value, dtype=dtype, device=like.device)
    if tensor.ndim == 0:
        return tensor
    return tensor.reshape(-1, *(1,) * (like.ndim - 1))
