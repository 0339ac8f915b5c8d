"""Memory that there is not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["enough_memory"]

#: How torch says that the processor's memory is too small, with the bytes that it asked for.
_REFUSED = re.compile(r"allocate memory|not enough memory|size calculation overflowed")
_BYTES = re.compile(r"allocate (\d+) bytes")


@contextmanager
def enough_memory(what: str, remedy: str) -> Iterator[None]:
    """Says in one sentence that the processor's memory is too small, and what to do about it.

    Arguments:
        what: What needs it, as the beginning of a sentence.
        remedy: What makes it smaller.

    Raises:
        ValueError: If memory is refused within the block.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _REFUSED.search(str(error)):
            raise
        asked = _BYTES.search(str(error))
        size = f", {int(asked[1]) / 1e9:,.1f} GB at once" if asked else ""
        raise ValueError(f"{what} needs more memory than there is{size}; {remedy}.") from error
