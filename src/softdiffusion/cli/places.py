"""Where a command writes: looked at before any work is done for it."""

import shutil
from pathlib import Path

from ..files import existing

__all__ = ["check_room"]

#: What a small file takes on a disk, in bytes.
_BLOCK = 4096


def check_room(out: Path, files: int, size: int) -> None:
    """Checks that the disk has room for so many files.

    Arguments:
        out: The folder.
        files: How many there will be.
        size: The bytes of each.

    Raises:
        ValueError: If they do not fit.
    """
    needed = files * max(size, _BLOCK)
    free = shutil.disk_usage(existing(out)).free
    if needed > free:
        raise ValueError(
            f"{files:,} files take about {needed / 1e6:,.1f} MB, but the disk of {out} has "
            f"{free / 1e6:,.1f} MB left; free some space, or choose another --out or a smaller "
            "--count."
        )
