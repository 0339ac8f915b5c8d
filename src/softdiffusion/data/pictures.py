"""The pictures of a set, decoded once."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..files import cache_folder, locked, write_text
from ..quoting import in_one_line
from .asked import check_channels, check_size
from .cache import LOCK, VERSION, Cache, DamageError
from .decoder import Decoder
from .draft import drafting
from .leftovers import clear
from .stored import Stored

__all__ = ["Pictures"]

#: Up to as many files, of together as many bytes, are decoded anew each time, into memory.
_MOST_FILES, _MOST_BYTES = 1_000, 4_000_000

Found = TypeVar("Found")


class _SizeError(ValueError):
    """Pictures have different sizes, so that they make no set."""


class Pictures:
    """The pictures of a source, such as a folder: decoded when first asked for, and kept.

    They are kept in a cache, a folder of its own in `cache`, which later sets and other processes
    read from; up to 1,000 pictures of together 4 MB are decoded into memory, if no cache is named.
    The cache knows its pictures by the key of their source: files by paths, sizes and times.

    Arguments:
        look: Gives the source as it is at the moment.
        name: What it is called in reports.
        size: The short side is resized to this many pixels, or None.
        channels: 1, 3, or None for as many as the source needs.
        cache: Where caches are kept; None is the user's cache folder.
        square: Whether all have one shape: the centre is cropped to a square of `size`, or without
            a size all files have it already.

    Attributes:
        shape: The shape (C, H, W) of all, or with `square` False None.
        channels, labels, classes, notes: As those of `Images`.

    Raises:
        TypeError: If size or channels are no whole numbers.
        FileNotFoundError, ValueError: As `look`, if size or channels are out of range, or the first
            picture can't be read; for others, when they are asked for.
    """

    def __init__(
        self,
        look: Callable[[], Stored],
        name: str,
        size: int | None,
        channels: int | None,
        cache: Path | None,
        square: bool,
    ) -> None:
        self.look = look
        self.name = name
        self.size = size = check_size(size)
        self.square = square
        self._asked = channels = check_channels(channels)
        found = look()  # not kept: a million paths take memory
        sizes = found.sizes
        self._count = len(sizes)
        self.classes, self.labels = found.classes, found.labels()
        self.key = found.key(size, channels, square)
        few = len(sizes) <= _MOST_FILES and sum(sizes) <= _MOST_BYTES
        in_memory = few and square and cache is None
        self.place = None if in_memory else (cache or cache_folder("pictures")) / self.key
        self._decoded: Cache | Tensor | None = self._opened()
        if isinstance(self._decoded, Cache):
            facts = self._decoded.facts
            self.channels, self.shape, self._about = facts.channels, facts.shape, facts.notes
        else:
            self.channels, self.shape, self._about = self._looked_at(found)
        self.notes = (*found.notes, *self._about)

    def __len__(self) -> int:
        return self._count

    def named(self, index: int) -> str:
        """What a picture is called in messages."""
        return self.look().named(index)

    def digest(self) -> str | None:
        """The SHA-256 that the cache has of the pictures; None if they are in memory."""
        return self.read(lambda kept: kept.facts.digest if isinstance(kept, Cache) else None)

    def read(self, task: Callable[[Cache | Tensor], Found]) -> Found:
        """What a task reads from the pictures, which are decoded first where that is needed.

        Arguments:
            task: Is given the cache, or all pictures as a tensor; it may be called twice.

        Raises:
            ValueError: If files can't be read, or have other sizes than they should.
            OSError: If the cache can't be written, or a process that decodes was ended.
        """
        if self._decoded is None:
            self._decoded = self._in_memory() if self.place is None else self._whole(self.place)
        try:
            return task(self._decoded)
        except DamageError as damage:
            assert self.place is not None
            self._decoded = self._whole(self.place, damage.pictures)
            return task(self._decoded)

    def _opened(self) -> Cache | None:
        """The cache, if it is there and whole."""
        try:
            return None if self.place is None else Cache(self.place, __version__)
        except (FileNotFoundError, DamageError):
            return None

    def _whole(self, place: Path, damaged: tuple[int, ...] = ()) -> Cache:
        """The cache, once it is whole; of several processes one sees to that."""
        with self._alone(place):
            try:
                cache = Cache(place, __version__)
                self._mend(cache, damaged)
                return cache
            except FileNotFoundError:
                pass
            except DamageError as error:
                _say(f"The cache {place} {error}, so the pictures are decoded again.")
                clear(place)
            self._fill(place)
            return Cache(place, __version__)

    def _fill(self, place: Path) -> None:
        decoder = self._decoder()
        _begin(place)
        try:
            with drafting(place, len(self), self.channels, self.shape) as draft:
                for index, picture in decoder.pictures(draft.count):
                    self._check(decoder, index, picture)
                    if index == draft.count:  # or one before can't be read, as is said at the end
                        draft.append(picture)
                draft.seal(__version__, self._about)
        except _SizeError:  # these pictures make no set, and others will have another place
            clear(place)
            raise

    def _mend(self, cache: Cache, damaged: tuple[int, ...]) -> None:
        if not damaged:
            return
        decoder = self._decoder()
        for index in damaged:
            cache.mend(index, decoder.picture(index))
            name = decoder.source.named(index)
            _say(f"The picture {name} was damaged in {cache.folder}, and is decoded again.")

    def _in_memory(self) -> Tensor:
        assert self.shape is not None
        decoder = self._decoder()
        try:
            decoded = torch.empty((len(self), *self.shape), dtype=torch.uint8)
        except RuntimeError:  # the allocator's
            gigabytes = len(self) * np.prod(self.shape) / 1e9
            raise ValueError(
                f"The {len(self):,} images of {self.name} need {gigabytes:,.1f} GB of memory, "
                "but that much can't be had; give a smaller size."
            ) from None
        for index, picture in decoder.pictures():
            self._check(decoder, index, picture)
            decoded[index] = torch.from_numpy(picture.copy())
        return decoded

    def _decoder(self) -> Decoder:
        found = self.look()
        if found.key(self.size, self._asked, self.square) != self.key:
            raise ValueError(
                f"The pictures in {self.name} have changed since they were listed; begin again."
            )
        return self._decoder_of(found, self.channels)

    def _decoder_of(self, found: Stored, channels: int) -> Decoder:
        return Decoder(found, channels, self.size, self.square)

    def _check(self, decoder: Decoder, index: int, picture: np.ndarray) -> None:
        """Raises if a picture has not the shape that all should have."""
        if self.shape is not None and picture.shape != self.shape:
            height, width = self.shape[1:]
            first, other = (decoder.source.named(i) for i in (0, index))
            raise _SizeError(
                f"The images have different sizes: {first} has {width} x {height} pixels but "
                f"{other} has {picture.shape[2]} x {picture.shape[1]}; give a size to which all "
                "are resized and cropped."
            )

    @contextmanager
    def _alone(self, place: Path) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(place / LOCK, timeout=0))
            except ValueError:
                print(
                    f"another process decodes {self.name}; this one waits for it",
                    file=sys.stderr,
                )
                stack.enter_context(locked(place / LOCK))
            yield

    def _looked_at(self, found: Stored) -> tuple[int, tuple[int, int, int] | None, tuple[str, ...]]:
        """Channels, shape and what is said about them, by the first picture and all headers."""
        first = self._first(found)
        channels, about = found.channels(self._asked, first)
        if not self.square:
            return channels, None, about
        _, height, width = self._decoder_of(found, channels).pixels(first).shape
        return channels, (channels, height, width), about

    def _first(self, found: Stored) -> np.ndarray:
        """The first picture; if it can't be read, the error names all such ones."""
        try:
            return found.read(0)
        except (FileNotFoundError, ValueError):
            for _ in self._decoder_of(found, 3).pictures():
                pass
            raise


def _begin(place: Path) -> None:
    """Clears a draft of other versions, which may decode pictures to other values."""
    import PIL

    mine, path = f"{__version__} with Pillow {PIL.__version__}", place / VERSION
    found = path.read_text("utf-8", "replace") if path.exists() else mine
    if found != mine:
        _say(
            f"The cache {place} was begun by version {in_one_line(found)}, so the pictures are "
            "decoded again."
        )
        clear(place)
    write_text(path, mine)


def _say(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=5)
