"""Files of tensors, as safetensors: the header is read first, and nothing of it is believed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from .files import check_regular, parse_json
from .quoting import shortened

__all__ = ["Entry", "not_finite", "read_header", "read_tensors", "write_tensors"]

#: The largest header, in bytes; it takes about 100 a tensor.
_LARGEST_HEADER = 8 * 2**20

#: The most axes of a tensor; torch has no more than 64.
_MOST_AXES = 32

#: Other types, of 8 bits and fewer, are storage formats that nothing here computes in.
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True)
class Entry:
    """What a header says of one tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        """The count of its numbers."""
        return prod(self.shape)


def read_header(path: Path) -> dict[str, Entry]:
    """What a file says that it holds, if that is just what there is room for in it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, or its header is damaged or contradicts its length.
    """
    check_regular(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise _damaged(path, f"its header has {length:,} bytes, more than {_LARGEST_HEADER:,}")
        text = file.read(length)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise _damaged(path, f"its header is no JSON, {error}") from None
    if not isinstance(content, dict):
        raise _damaged(path, "its header is no dictionary")
    content.pop("__metadata__", None)
    spans = [(*_span(path, name, told), name) for name, told in content.items()]
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise _damaged(path, f"{shortened(name)} begins at {start:,} instead of {end:,}")
        end = stop
    if 8 + length + end != path.stat().st_size:
        raise _damaged(
            path, f"it has {path.stat().st_size:,} bytes instead of {8 + length + end:,}"
        )
    return {
        name: Entry(_TYPES[told["dtype"]], tuple(told["shape"])) for name, told in content.items()
    }


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, in memory of their own.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged.
    """
    read_header(path)  # the library that reads them forgives duplicates
    try:
        # Read as a whole: mapped into memory, the tensors would change with the file.
        return safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise _damaged(path, str(error)) from None


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes tensors with the permissions that every new file gets.

    Raises:
        OSError: If it can't be written, as on a full disk.
    """
    path.write_bytes(safetensors.torch.save(tensors))  # its own save_file hides it from the group


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The first tensor that holds NaN or infinity, or None."""
    return next((name for name, t in tensors.items() if not torch.isfinite(t).all()), None)


def _span(path: Path, name: str, told: Any) -> tuple[int, int]:
    """The bytes of one tensor behind the header, if what is told of it makes sense."""
    try:
        dtype, shape, (start, stop) = told["dtype"], told["shape"], told["data_offsets"]
        sizes = [*shape, start, stop]
        if len(shape) > _MOST_AXES or not all(
            type(size) is int and 0 <= size < 2**63 for size in sizes
        ):
            raise ValueError
    except (TypeError, KeyError, ValueError):
        raise _damaged(path, f"its header says nothing sensible of {shortened(name)}") from None
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise ValueError(
            f"{path} holds {shortened(name)} in the type {shortened(dtype)}, which is not read; "
            f"save it as {_listed(_TYPES)}."
        )
    if stop - start != prod(shape) * _TYPES[dtype].itemsize:
        raise _damaged(path, f"{shortened(name)} has not as many bytes as its shape {shape} takes")
    return start, stop


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is damaged ({reason}); restore it from a copy.")
