"""Decoded pictures in files that are mapped into memory for as long as a batch is read.

A cache is a folder:

- `pixels.bin`, the values of all pictures one after the other, uint8. A picture (C, H, W) is
  divided into tiles of at most `side` x `side` pixels, which lie row by row, so that a window of a
  large picture is read without the rest of it. Pictures of one shape are one tile each;
- `index.bin`, where each picture begins, and its shape;
- `checksums.bin`, the CRC-32 of every tile;
- `cache.json`, written last: without it the other files are a draft, which is gone on with;
- `version`, what the draft was begun by;
- `lock`, held by the process that writes.
"""

import os
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..files import read_json, write_json
from .tiles import covering, tiles

__all__ = ["Cache", "DamageError", "Facts"]

PIXELS, INDEX, CHECKSUMS = "pixels.bin", "index.bin", "checksums.bin"
FACTS, VERSION, LOCK = "cache.json", "version", "lock"

#: Where a picture begins among the values and among the tiles, and how large it is.
RECORD = np.dtype([("start", "<u8"), ("tile", "<u8"), ("height", "<u4"), ("width", "<u4")])
CHECKSUM = np.dtype("<u4")

#: The layout of the files; another one has another number.
_FORMAT = 1

#: Where a window lies: picture, top, left, height and width.
Window = tuple[int, int, int, int, int]


class DamageError(Exception):
    """A cache is not as it was written.

    Attributes:
        pictures: Those that are known to be damaged; none if it is the cache itself.
    """

    def __init__(self, reason: str, pictures: tuple[int, ...] = ()) -> None:
        super().__init__(reason)
        self.pictures = pictures


@dataclass(frozen=True)
class Facts:
    """What `cache.json` says, so that nothing else needs to be read before the first batch.

    Attributes:
        version: That of the package that decoded the pictures.
        pictures: How many there are.
        channels: Theirs.
        shape: The shape (C, H, W) of all, or None if they differ.
        side: The side of the tiles in pixels.
        digest: The SHA-256 of the pictures.
        notes: What is said about how they were decoded.
        checks: The CRC-32 of `index.bin` and of `checksums.bin`.
        format: The layout of the files.
    """

    version: str
    pictures: int
    channels: int
    shape: tuple[int, int, int] | None
    side: int
    digest: str
    notes: tuple[str, ...]
    checks: tuple[int, int]
    format: int = _FORMAT

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Facts":
        """The facts as they come back from JSON.

        Raises:
            TypeError: If some are missing, or of another kind.
            KeyError: If it has no shape, notes or checks.
        """
        shape = found["shape"]
        return cls(
            **found
            | {
                "shape": None if shape is None else tuple(shape),
                "notes": tuple(found["notes"]),
                "checks": tuple(found["checks"]),
            }
        )

    def write(self, folder: Path) -> None:
        """Declares the cache to be whole."""
        write_json(folder / FACTS, asdict(self))


class Cache:
    """The pictures of a folder that `Draft` has filled.

    It holds neither a file nor a map open, so it can be given to other processes, and what was read
    leaves the memory.

    Arguments:
        folder: The folder.
        version: The version of the package that must have written it.

    Raises:
        FileNotFoundError: If no whole cache is there.
        DamageError: If it is damaged, or another version wrote it.
    """

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self.facts = self._read(version)
        with suppress(OSError):  # a cache that others share may be theirs
            os.utime(folder / FACTS)  # it counts as used now

    def _read(self, version: str) -> Facts:
        path = self.folder / FACTS
        if not path.exists():
            raise FileNotFoundError(f"There is no cache in {self.folder}.")
        try:
            facts = Facts.of(read_json(path))
            if (facts.format, facts.version) != (_FORMAT, version):
                raise DamageError(f"was written by version {facts.version}")
            names = (PIXELS, INDEX, CHECKSUMS)
            self._sizes = {name: (self.folder / name).stat().st_size for name in names}
            checks = tuple(_crc_of(self.folder / name) for name in (INDEX, CHECKSUMS))
            index = self._map(INDEX, RECORD)
            start, _, height, width = index[-1].tolist()
            found = (checks, len(index), self._sizes[PIXELS])
        except (ValueError, TypeError, KeyError, OSError):
            raise DamageError("is damaged") from None
        if found != (facts.checks, facts.pictures, start + facts.channels * height * width):
            raise DamageError("is damaged")
        return facts

    def __len__(self) -> int:
        return self.facts.pictures

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Pictures of one shape, uint8 (B, C, H, W).

        Raises:
            DamageError: If they are not as they were written.
        """
        assert self.facts.shape is not None
        chosen = indices.numpy()
        pictures = self._map(PIXELS, np.uint8).reshape(-1, *self.facts.shape)[chosen]
        wanted = self._map(CHECKSUMS, CHECKSUM)[chosen]
        found = np.fromiter(map(zlib.crc32, pictures), CHECKSUM, len(pictures))
        if len(wrong := np.flatnonzero(found != wanted)):
            raise DamageError("is damaged", tuple(chosen[wrong].tolist()))
        return torch.from_numpy(pictures)

    def windows(self, windows: list[Window]) -> list[np.ndarray]:
        """Parts of pictures, each uint8 (C, height, width).

        Raises:
            DamageError: If tiles that they lie in are not as they were written.
        """
        index, checksums = self._map(INDEX, RECORD), self._map(CHECKSUMS, CHECKSUM)
        pixels = self._map(PIXELS, np.uint8)
        parts, damaged = [], set()
        for picture, top, left, height, width in windows:
            start, first, *size = index[picture].tolist()
            part = np.empty((self.facts.channels, height, width), np.uint8)
            for tile in covering((self.facts.channels, *size), self.facts.side, top, left, part):
                values = pixels[start + tile.start : start + tile.stop]
                if zlib.crc32(values.data) != checksums[first + tile.number]:
                    damaged.add(picture)
                tile.paste(values, part)
            parts.append(part)
        if damaged:
            raise DamageError("is damaged", tuple(sorted(damaged)))
        return parts

    def sizes(self) -> np.ndarray:
        """Height and width of every picture, (N, 2)."""
        index = self._map(INDEX, RECORD)
        return np.stack([index["height"], index["width"]], 1).astype(np.int64)

    def mend(self, picture: int, pixels: np.ndarray) -> None:
        """Writes a damaged picture anew, (C, H, W), over itself.

        Raises:
            DamageError: If it is not the one that was there.
        """
        record = self._map(INDEX, RECORD)[picture]
        contents = list(tiles(pixels, self.facts.side))
        first = int(record["tile"])
        wanted = self._map(CHECKSUMS, CHECKSUM)[first : first + len(contents)]
        same = pixels.shape[1:] == (record["height"], record["width"])
        if not same or [zlib.crc32(content) for content in contents] != wanted.tolist():
            raise DamageError("is damaged")
        with (self.folder / PIXELS).open("r+b") as file:
            file.seek(int(record["start"]))
            file.writelines(contents)

    def _map(self, name: str, dtype: np.dtype | type) -> np.ndarray:
        try:
            values = np.asarray(np.memmap(self.folder / name, dtype, "r"))
        except (OSError, ValueError):  # it is gone, empty, or no multiple of a record
            raise DamageError("is damaged") from None
        if values.nbytes != self._sizes[name]:
            raise DamageError("is damaged")
        return values


def _crc_of(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while part := file.read(2**20):
            crc = zlib.crc32(part, crc)
    return crc
