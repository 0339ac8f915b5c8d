"""Where a command writes: looked at before any work is done for it."""

import shutil
from pathlib import Path

from ..data.asked import expanded
from ..data.hub_name import HubName
from ..files import existing

__all__ = ["check_outside", "check_room"]

#: What a small file takes on a disk, in bytes.
_BLOCK = 4096


def check_outside(out: Path, data: object) -> None:
    """Checks that a command's pictures would not become data: of the next training, or this one's.

    Arguments:
        out: The folder to be written to.
        data: The name of the data; of those, folders are looked at.

    Raises:
        ValueError: If it lies in the folder of the data, and is not hidden there.
    """
    kind, _, name = data.partition(":") if isinstance(data, str) else ("", "", "")
    path: Path | None = None
    if kind in ("hub", "hub-stream") and name:
        path = HubName.parsed(name).path
    elif kind == "folder" and name:
        path = expanded(name)
    if path is None:  # of the Hub, say
        return
    folder, place = path.resolve(), out.resolve()
    if not place.is_relative_to(folder):
        return
    if not any(part.startswith(".") for part in place.relative_to(folder).parts):
        raise ValueError(
            f"--out {out} lies in the data, {path}, whose pictures its own would join; choose a "
            "folder outside of it."
        )


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
