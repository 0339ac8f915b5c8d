"""What lies below a folder: its pictures, and a count of everything that is left out."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..pictures import suffixes
from ..quoting import in_one_line

__all__ = ["Listing", "Parts", "listed", "summed", "unread"]

Parts = tuple[str, ...]

#: A folder that links lead to more often than this is a tree of links that grows without end.
_MOST_VISITS = 16

#: Suffixes of pictures that are not read, with what helps.
_UNREAD = dict.fromkeys((".heic", ".heif"), "pip install pillow-heif")
_UNREAD |= dict.fromkeys((".avif", ".webp", ".jp2"), "pip install --upgrade pillow")
_UNREAD |= dict.fromkeys((".arw", ".cr2", ".cr3", ".dng", ".nef", ".raf"), "convert them to .png")
_UNREAD |= dict.fromkeys((".exr", ".hdr", ".ico", ".jxl", ".pcx", ".pfm"), "convert them to .png")
_UNREAD |= dict.fromkeys((".psd", ".raw", ".sgi", ".svg", ".tga"), "convert them to .png")

_BROKEN, _PIPES = "broken links", "pipes, sockets or devices"


@dataclass
class Listing:
    """The pictures below a folder.

    Attributes:
        pictures: The parts of their paths below the folder, sorted.
        folders: The folders on its first level that are not hidden, sorted.
        left_out: How many files were left out, by the (at most two) folders above them and a word
            for them.
        twice: How many pictures are the same file as another one, through links.
    """

    pictures: list[Parts] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    left_out: Counter[tuple[Parts, str]] = field(default_factory=Counter)
    twice: int = 0


def listed(root: Path, deep: bool = True) -> Listing:
    """Lists a folder, and with `deep` all below it; links are followed.

    Hidden files and folders, links that lead nowhere, what is no regular file and suffixes that are
    not read are left out, and counted.

    Raises:
        ValueError: If a folder can't be read, or links lead in a circle.
    """
    listing, visits, linked = Listing(), Counter[tuple[int, int]](), False
    waiting: list[tuple[Parts, tuple[tuple[int, int], ...]]] = [((), ())]
    while waiting:
        parts, above = waiting.pop()
        folder = root.joinpath(*parts)
        here = _identity(folder)
        visits[here] += 1
        if here in above or visits[here] > _MOST_VISITS:
            raise ValueError(
                f"The folder {in_one_line(folder)} is reached again and again through links, which "
                "never ends; remove the link that leads back."
            )
        for entry in _entries(folder):
            linked = linked or entry.is_symlink()
            kind = _kind(entry)
            if kind == "folder":
                if deep:
                    waiting.append(((*parts, entry.name), (*above, here)))
                if not parts:
                    listing.folders.append(entry.name)
            elif kind == "picture":
                listing.pictures.append((*parts, entry.name))
            elif kind is not None:
                listing.left_out[parts[:2], kind] += 1
    listing.pictures.sort()
    listing.folders.sort()
    if linked:
        files = {_identity(root.joinpath(*parts)) for parts in listing.pictures}
        listing.twice = len(listing.pictures) - len(files)
    return listing


def unread(kind: str) -> bool:
    """Whether files that were left out are pictures that can't be read, by the word for them."""
    return kind in _UNREAD or kind in (_BROKEN, _PIPES)


def summed(left_out: Counter[str]) -> str:
    """What was left out, in words: "12 .txt, 3 .heic (pip install pillow-heif), 1 hidden"."""
    parts = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(
        f"{count:,} {in_one_line(kind)}" + (f" ({_UNREAD[kind]})" if kind in _UNREAD else "")
        for kind, count in parts
    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise ValueError(
            f"The folder {in_one_line(folder)} can't be read ({error.strerror}); change its "
            "permissions or move it away."
        ) from None


def _kind(entry: os.DirEntry[str]) -> str | None:
    """A folder, a picture or a word for what is left out; None for what nobody misses."""
    suffix = os.path.splitext(entry.name)[1].lower().removesuffix(".")  # Path.suffix takes longer
    readable = suffix in suffixes()
    try:
        folder, file = entry.is_dir(), entry.is_file()
    except OSError:  # a link to itself
        folder = file = False
    if entry.name.startswith("."):
        return "hidden folders" if folder else "hidden pictures" if readable else None
    if folder:
        return "folder"
    if not file and entry.is_symlink() and not os.path.exists(entry.path):
        return _BROKEN
    if readable:
        return "picture" if file else _PIPES
    return suffix or "without a suffix"


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
