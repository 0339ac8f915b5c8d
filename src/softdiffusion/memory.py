"""Memory that there is not."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["asked", "enough_memory", "is_refused"]

#: How torch, NumPy and the operating system say that there is not so much memory.
_REFUSED = re.compile(
    r"allocate memory|not enough memory|out of memory|Unable to allocate|failed to allocate"
    r"|bad_alloc|size calculation overflowed|multiplication overflow|array is too big"
    r"|Maximum allowed dimension|too many dimensions|invalid argument.*mmap",
    re.IGNORECASE,
)

#: How they say how much it was.
_BYTES = re.compile(r"(?:allocate|buffer of|for) (\d+) bytes")
_AMOUNT = re.compile(r"allocate (\d+(?:\.\d*)?) ([KMGTPE])iB", re.IGNORECASE)


def is_refused(error: BaseException) -> bool:
    """Whether an error says that there is not so much memory."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError | ValueError) and bool(_REFUSED.search(str(error)))


def asked(error: BaseException) -> str:
    """How much memory an error says was asked for, such as "1.5 GB"; empty if it does not."""
    if found := _BYTES.search(str(error)):
        return _readable(int(found[1]))
    if found := _AMOUNT.search(str(error)):
        return _readable(float(found[1]) * 1024 ** " KMGTPE".index(found[2].upper()))
    return ""


@contextmanager
def enough_memory(what: str, remedy: str) -> Iterator[None]:
    """Says in one sentence that memory is too small, and what to do about it.

    Arguments:
        what: What needs it, as the beginning of a sentence.
        remedy: What makes it smaller.

    Raises:
        ValueError: If memory is refused within the block.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ValueError) as error:
        if not is_refused(error):
            raise
        size = f", {amount} at once" if (amount := asked(error)) else ""
        raise ValueError(f"{what} needs more memory than there is{size}; {remedy}.") from error


def _readable(amount: float) -> str:
    power = max(0, min(5, int(math.log10(max(amount, 1)) // 3)))
    return f"{amount / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"
