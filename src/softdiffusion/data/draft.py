"""A cache while it is filled."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path

import numpy as np
import torch

from .cache import CHECKSUM, CHECKSUMS, INDEX, PIXELS, RECORD, Facts
from .images import to_float
from .leftovers import tidy
from .tiles import tile_bytes, tiles

__all__ = ["Draft", "drafting"]

#: The side of the tiles of pictures that windows are read from.
_SIDE = 64

#: The float of every value, so that a picture is hashed as `Images.digest` says.
_FLOATS = to_float(torch.arange(256, dtype=torch.uint8)).numpy()


@contextmanager
def drafting(
    folder: Path, pictures: int, channels: int, shape: tuple[int, int, int] | None
) -> Iterator["Draft"]:
    """Opens a cache to be filled; a draft that was left, by a kill perhaps, is gone on with.

    It is checked, and kept up to the first picture that is not whole. Only one process may have a
    draft open.

    Arguments:
        folder: The folder of the cache.
        pictures: How many there will be.
        channels: Theirs.
        shape: The shape (C, H, W) of all, or None if they differ.
    """
    with ExitStack() as stack:
        # Without a buffer, whose rest would be written, and fail again, when the file is closed.
        files = {
            name: stack.enter_context((folder / name).open("a+b", buffering=0))
            for name in (PIXELS, CHECKSUMS, INDEX)
        }
        yield Draft(folder, files, pictures, channels, shape)


class Draft:
    """Appends pictures to the open files of a cache; see `drafting`.

    Attributes:
        count: How many pictures are there.
    """

    def __init__(
        self,
        folder: Path,
        files: dict[str, FileIO],
        pictures: int,
        channels: int,
        shape: tuple[int, int, int] | None,
    ) -> None:
        self.folder = folder
        self.pictures = pictures
        self.channels = channels
        self.shape = shape
        self.side = _SIDE if shape is None else max(shape)
        self.count = 0
        self._files = files
        self._bytes = self._tiles = 0
        self._digest = hashlib.sha256(repr((pictures, *(shape or (channels,)))).encode())
        self._go_on()

    def append(self, picture: np.ndarray) -> None:
        """Adds a picture, uint8 (C, H, W)."""
        contents = list(tiles(picture, self.side))
        record = np.array((self._bytes, self._tiles, *picture.shape[1:]), RECORD)
        # The index last: what it names is there.
        for name, content in (
            (PIXELS, b"".join(contents)),
            (CHECKSUMS, _checksums(contents)),
            (INDEX, record.tobytes()),
        ):
            self._write(name, content)
        self._count(record, contents)

    def seal(self, version: str, notes: tuple[str, ...]) -> None:
        """Declares the cache to be whole, and deletes old ones beside it."""
        for file in self._files.values():  # or else a power cut leaves a whole cache of nothing
            os.fsync(file.fileno())
        checks = []
        for name in (INDEX, CHECKSUMS):
            self._files[name].seek(0)
            checks.append(zlib.crc32(self._files[name].read()))
        Facts(
            version,
            self.pictures,
            self.channels,
            self.shape,
            self.side,
            self._digest.hexdigest(),
            notes,
            (checks[0], checks[1]),
        ).write(self.folder)
        tidy(self.folder)

    def _write(self, name: str, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._files[name].write(rest) :]
        except OSError as error:  # the disk is full
            raise OSError(error.errno, error.strerror, str(self.folder / name)) from None

    def _go_on(self) -> None:
        """Takes over what is there already and whole, and cuts off the rest."""
        for file in self._files.values():
            file.seek(0)
        while self.count < self.pictures and (found := self._next()):
            self._count(*found)
        self._files[PIXELS].truncate(self._bytes)
        self._files[CHECKSUMS].truncate(self._tiles * CHECKSUM.itemsize)
        self._files[INDEX].truncate(self.count * RECORD.itemsize)

    def _next(self) -> tuple[np.ndarray, list[bytes]] | None:
        """The record and the tiles of the picture that the files come to, if it is whole."""
        content = self._files[INDEX].read(RECORD.itemsize)
        if len(content) < RECORD.itemsize:
            return None
        record = np.frombuffer(content, RECORD).reshape(())
        start, tile, height, width = record.tolist()
        end = self._bytes + self.channels * height * width
        if (start, tile) != (self._bytes, self._tiles) or not start < end <= self._size(PIXELS):
            return None
        contents = [
            self._files[PIXELS].read(count)
            for count in tile_bytes(self.channels, height, width, self.side)
        ]
        wanted = self._files[CHECKSUMS].read(len(contents) * CHECKSUM.itemsize)
        return (record, contents) if _checksums(contents) == wanted else None

    def _size(self, name: str) -> int:
        return os.fstat(self._files[name].fileno()).st_size

    def _count(self, record: np.ndarray, contents: list[bytes]) -> None:
        self.count += 1
        self._bytes += sum(map(len, contents))
        self._tiles += len(contents)
        if self.shape is None:
            self._digest.update(repr((int(record["height"]), int(record["width"]))).encode())
            for content in contents:
                self._digest.update(content)
        else:
            self._digest.update(_FLOATS[np.frombuffer(contents[0], np.uint8)].tobytes())


def _checksums(contents: list[bytes]) -> bytes:
    return np.fromiter(map(zlib.crc32, contents), CHECKSUM, len(contents)).tobytes()
