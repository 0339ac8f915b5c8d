"""What may be asked for: paths, sizes and channels."""

from pathlib import Path

from ..checks import check_count

__all__ = ["LARGEST", "check_channels", "check_size", "expanded"]

#: The largest side of an image; a picture of it is as large as those that are read.
LARGEST = 13_000


def check_size(size: int | None) -> int | None:
    """Returns a size in pixels, or None for that of the data.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is not in [1, 13,000].
    """
    return None if size is None else check_count("The size in pixels", size, 1, LARGEST)


def check_channels(channels: int | None) -> int | None:
    """Returns a number of channels, 1 or 3, or None for that of the data.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is another one.
    """
    if channels is not None:
        channels = check_count("The number of channels", channels, -LARGEST, LARGEST)
    if channels not in (None, 1, 3):
        raise ValueError(f"Images have 1 or 3 channels, not {channels}.")
    return channels


def expanded(path: str | Path) -> Path:
    """A path as a user wrote it, with the home folder for a `~` that no shell has seen.

    Raises:
        ValueError: If there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(
            f"The home folder in {str(path)!r} is not known; write the whole path."
        ) from None
