"""How much memory a constructor may ask for."""

from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["Allowance"]

#: A function of tensors whose result holds fewer numbers than this is not looked into.
_SMALL = 2**22


class Allowance(TorchFunctionMode):
    """Lets new tensors hold only so many numbers, all together, while it is active.

    The size of a result is found on the meta device, so that what would go beyond is never
    allocated. It may be entered several times, and goes on counting.

    Arguments:
        numbers: The count of numbers.
        calls: The count of calls that make some of them.

    Raises:
        ValueError: At the call that would go beyond.
    """

    def __init__(self, numbers: int, calls: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.left = numbers
        self.calls = calls

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        size = 0 if _in_place(func) else _size(func, args, kwargs)
        if size:  # what makes no tensor always passes, such as the end of a block without gradients
            self.left -= size
            self.calls -= 1
            if self.left < 0 or self.calls < 0:
                raise ValueError(
                    "its arguments ask for more than the files of the model account for, "
                    f"{self.numbers:,} numbers"
                )
        return func(*args, **kwargs)


def _in_place(func: Any) -> bool:
    """Whether a function makes no tensor: it changes one, or is an attribute of one."""
    name = getattr(func, "__name__", "")
    return name in ("__get__", "__set__") or (name.endswith("_") and not name.endswith("__"))


def _size(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """How many numbers the result of a function holds; 0 for a small one of other tensors."""
    values = list(_leaves([args, kwargs]))
    tensors = [value for value in values if isinstance(value, Tensor)]
    if tensors:
        factors = [v.numel() if isinstance(v, Tensor) else abs(v) for v in values]
        if prod(max(factor, 1) for factor in factors) <= _SMALL:
            return 0
    else:
        kwargs = {**kwargs, "device": "meta"}
    try:
        result = func(*_on_meta(args), **_on_meta(kwargs))
    except Exception:  # it makes no tensor, or one whose size depends on what the tensors hold
        return sum(tensor.numel() for tensor in tensors)
    return sum(value.numel() for value in _leaves(result) if isinstance(value, Tensor))


def _leaves(value: Any) -> Iterator[Tensor | int]:
    """The tensors and whole numbers in nested lists and dictionaries."""
    if isinstance(value, Tensor | int):
        yield value
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)


def _on_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.empty_like(value, device="meta")
    if isinstance(value, dict):
        return {key: _on_meta(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_on_meta, value)) if type(value) in (list, tuple) else value
    return value
