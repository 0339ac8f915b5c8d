"""Where a command writes: looked at before any work is done for it."""

import os
import shutil
import stat
from pathlib import Path

__all__ = ["MOST", "check_folder", "check_outside", "check_room"]

#: The images that a command draws at most: every one has a generator, and a file.
MOST = 1_000_000

#: A folder that is made and removed to see whether that is allowed.
_PROBE = ".softdiffusion-probe"

#: What a small file takes on a disk, in bytes.
_BLOCK = 4096


def check_folder(out: Path) -> None:
    """Checks that a folder can be there, and be written to; nothing is left behind.

    Raises:
        ValueError: If a file is in the way.
        OSError: If it can't be made or written to.
    """
    if os.environ.get("RANK", "0") != "0":  # of several processes the first one writes
        return
    folder = _existing(out)
    if not stat.S_ISDIR(folder.stat().st_mode):  # a link that leads nowhere, or round, raises
        raise ValueError(f"--out is a folder, but {folder} is a file; choose another place.")
    probe = folder / _PROBE
    try:
        probe.mkdir(exist_ok=True)  # another process may look at the same time
        probe.rmdir()
    except FileNotFoundError:
        if not folder.exists():
            raise
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(out)) from None


def check_outside(out: Path, data: object) -> None:
    """Checks that a command's pictures would not become data: of the next training, or this one's.

    Arguments:
        out: The folder to be written to.
        data: The name of the data; of those, folders of pictures are looked at.

    Raises:
        ValueError: If it lies in the folder of the data, and is not hidden there.
    """
    kind, _, path = data.partition(":") if isinstance(data, str) else ("", "", "")
    if kind != "folder" or not path:
        return
    folder, place = Path(os.path.expanduser(path)).resolve(), out.resolve()
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
    free = shutil.disk_usage(_existing(out)).free
    if needed > free:
        raise ValueError(
            f"{files:,} files take about {needed / 1e6:,.1f} MB, but the disk of {out} has "
            f"{free / 1e6:,.1f} MB left; free some space, or choose another --out or a smaller "
            "--count."
        )


def _existing(out: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    for path in (out, *out.parents):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        return path
    return Path()
