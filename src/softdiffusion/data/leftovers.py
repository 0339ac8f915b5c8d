"""Caches that are no longer wanted."""

import re
import time
from contextlib import suppress
from pathlib import Path

from ..files import locked
from .cache import CHECKSUMS, FACTS, INDEX, LOCK, PIXELS, VERSION

__all__ = ["clear", "tidy"]

#: What a cache holds, and nothing else.
_FILES = {PIXELS, INDEX, CHECKSUMS, LOCK}.union(
    *({name, f".{name}.draft"} for name in (FACTS, VERSION))
)

#: The names of caches.
_NAME = re.compile(r"[0-9a-f]{64}")

#: Caches that were not opened for so many seconds, 30 days, are deleted when another is made.
_OLD = 30 * 24 * 3600


def clear(folder: Path) -> None:
    """Deletes the files of a cache, but for its lock; maps of them stay what they are."""
    for name in (FACTS, INDEX, CHECKSUMS, PIXELS, VERSION):
        (folder / name).unlink(missing_ok=True)


def tidy(folder: Path) -> None:
    """Deletes the caches beside this one that were not opened for 30 days, and nothing else."""
    for other in folder.parent.iterdir():
        if other != folder and _NAME.fullmatch(other.name):
            with suppress(OSError):  # another process does the same, or it is another user's
                _delete_if_old(other)


def _delete_if_old(folder: Path) -> None:
    if not _is_old(folder):
        return
    with suppress(ValueError), locked(folder / LOCK, timeout=0):  # unless a process fills it
        clear(folder)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def _is_old(folder: Path) -> bool:
    files = list(folder.iterdir())
    last = max(path.stat().st_mtime for path in (folder, *files))
    return {file.name for file in files} <= _FILES and last < time.time() - _OLD
