"""Data sets that are read as they come, without an end and without a length."""

import functools
import hashlib
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ..checks import check_count, shown
from ..pictures import to_pixels
from .asked import check_channels, check_size
from .columns import as_labels, columns_of, imported, read_stored, without_decoding
from .images import ArrayImages, to_float
from .shards import START, Row, ShardRows, first_row, permutation

__all__ = ["Stream"]

#: As many images tell a stream from another one.
_TELLING = 64

#: The word of the orders of blocks; see `shards.permutation`.
_BLOCKS = 17


class Stream:
    """The images of a `datasets.IterableDataset`, epoch after epoch, in an order of their own.

    Every epoch goes through the shards (files, as a rule) in a random order. Their rows are taken
    in blocks of `buffer`, of which each is permuted; a block ends with its epoch, so that in every
    epoch every row comes once. The permutations follow from the seed and the number of the epoch
    or block alone. The order is therefore the same in every process, and `state`, a few numbers
    with the `state_dict` of the source, leads back to any row exactly: the block in which it lies
    is read once more. It holds for the same version of the data only, which `digest` tells by the
    shards and the first images. As of any buffer, rows that are far apart in a shard are not mixed.

    Arguments:
        dataset: The data set, not shuffled; it must go on after a `state_dict` of its own.
        image: The column of images; None takes the only one of type `datasets.Image`.
        label: The column of labels; None takes the only one of type `datasets.ClassLabel`, if there
            is one. An absent label is -1.
        size: The short side is resized to this many pixels (Lanczos, antialiased), and the centre
            is cropped to a square; None keeps the size that all pictures then must share.
        channels: 1 for grey, 3 for RGB; None takes those of the first picture, and a later one with
            colour is refused if the first has none.
        buffer: The rows of a block, >= 1; the files of two blocks are held in memory.
        seed: The seed of the order, >= 0.
        name: What the stream is called in reports.

    Attributes:
        columns: The columns of images and labels.
        channels: The number of channels.
        shape: The shape (C, H, W) of an image.
        labelled: Whether there are labels.
        classes: The names of the classes, by their numbers, or None.
        notes: What the stream was taken for, each in a few words.

    Raises:
        TypeError: If it is no `datasets.IterableDataset`.
        ValueError: If there is no row, a column is missing or one of several, size, channels,
            buffer or seed are out of range, the stream does not go on after its own state, or the
            first picture can't be read; for other pictures, when they are read.
        ImportError: If `datasets` is not installed.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        image: str | None = None,
        label: str | None = None,
        size: int | None = None,
        channels: int | None = None,
        buffer: int = 1_000,
        seed: int = 0,
        name: str = "stream",
    ) -> None:
        if not isinstance(dataset, imported().IterableDataset):
            raise TypeError(
                f"Stream takes one split of a streamed data set, a datasets.IterableDataset, but "
                f"is given {shown(dataset)}."
            )
        self.name = name
        self.size = check_size(size)
        channels = check_channels(channels)
        self.buffer = check_count("The buffer of a stream", buffer, 1, 10**9)
        self.seed = check_count("The seed of a stream", seed, 0, 2**63 - 1)
        self.columns = columns_of(name, dataset.features, image, label)
        self.dataset = without_decoding(dataset, self.columns)
        first = first_row(without_decoding(dataset, self.columns), name)
        picture = read_stored(first[self.columns.image], f"the first row of {name}")
        self.grey_only = channels is None and picture.shape[2] == 1
        self.channels = channels or picture.shape[2]
        _, height, width = to_pixels(picture, self.channels, size).shape
        self.shape = (self.channels, height, width)
        self.labelled = self.columns.label is not None
        self.classes = self.columns.classes
        self.notes = (
            f"a stream of {dataset.num_shards} shard{'s' * (dataset.num_shards != 1)}, mixed in "
            f"blocks of {self.buffer} rows",
            f"{self.channels} channel{'s' * (self.channels > 1)}, as "
            + ("the first picture has" if channels is None else "asked for"),
        )
        self.rewind()

    def read(self, count: int, share: slice = slice(None)) -> tuple[Tensor, Tensor | None]:
        """The next images, or this process's share of them.

        Arguments:
            count: How many rows the stream goes on by.
            share: Those of them that are decoded and returned.

        Returns:
            The images, (B, C, H, W), float32 in [-1, 1], and their labels, int64 (B,), or None.

        Raises:
            ValueError: If a picture can't be read, or has another size or more channels than the
                first, or a label has no class.
        """
        rows = [self._next() for _ in range(count)][share]
        pixels = [self._pixels(row[self.columns.image], where) for where, row in rows]
        images = torch.stack(pixels) if pixels else torch.empty(0, *self.shape)
        label = self.columns.label
        labels = (
            None
            if label is None
            else as_labels(self.name, self.columns, [row[label] for _, row in rows])
        )
        return to_float(images), labels

    def state(self) -> dict[str, Any]:
        """Where the stream is, in what JSON can hold."""
        place = deepcopy(self._block.place)
        return {"block": self._block.number, "given": self._given, **place}

    def rewind(self) -> None:
        """Goes to the first row of the first epoch."""
        self.restore({"block": 0, "given": 0, **START})

    def restore(self, state: dict[str, Any]) -> None:
        """Goes to where a stream of the same data, seed and buffer was."""
        place = {key: state[key] for key in START}
        self._rows = ShardRows(self.dataset, self.seed, place)
        self._block = _Block(state["block"], place)
        self._given: int = state["given"]

    def head(self, count: int) -> ArrayImages:
        """The first images of the data, in the order in which they are stored."""
        label = self.columns.label
        pixels, labels = [], []
        for i, row in enumerate(islice(iter(self.dataset), count)):
            pixels.append(self._pixels(row[self.columns.image], f"row {i}"))
            labels.append(None if label is None else row[label])
        notes = (f"the first {len(pixels):,} images of a stream", *self.notes)
        known = None if label is None else as_labels(self.name, self.columns, labels)
        return ArrayImages(self.name, torch.stack(pixels), known, self.classes, notes)

    def digest(self) -> str:
        """The SHA-256 of the first images and labels, of the number of shards, the columns, the
        seed and the buffer, in hexadecimal.

        It is computed once.
        """
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        head = self.head(_TELLING)
        labels = None if head.labels is None else head.labels.tolist()
        shards = self.dataset.num_shards
        told = (head.digest(), labels, shards, self.columns, self.seed, self.buffer)
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def _next(self) -> Row:
        self._finish()
        if self._given == len(self._block.rows):
            self._block, self._given = self._ahead, 0
            self._finish()
        row = self._block.rows[self._block.order[self._given]]
        self._given += 1
        self._grow(self._ahead)  # row by row, so that no batch waits for a whole block
        return row

    def _finish(self) -> None:
        """Reads what the current block lacks."""
        block = self._block
        if block.order:
            return
        while not block.full:
            self._grow(block)
        block.order = permutation(len(block.rows), self.seed, block.number, _BLOCKS)
        self._ahead = _Block(block.number + 1, self._rows.place())

    def _grow(self, block: "_Block") -> None:
        if block.full:
            return
        row = self._rows.next()
        if row is not None:
            block.rows.append(row)
        at_end = row is None and len(block.rows) > 0
        block.full = at_end or len(block.rows) == self.buffer

    def _pixels(self, stored: Any, where: str) -> Tensor:
        """The pixels of a stored picture, uint8 (C, H, W)."""
        where = f"{where} of {self.name}"
        picture = read_stored(stored, where)
        if self.grey_only and picture.shape[2] == 3:
            raise ValueError(
                f"The image in {where} has colour, but the first has none; give channels as 3 to "
                "show all in colour, or as 1 to leave colour out."
            )
        pixels = to_pixels(picture, self.channels, self.size)
        if pixels.shape != self.shape:
            raise ValueError(
                f"The images have different sizes: the first of {self.name} has {self.shape[2]} x "
                f"{self.shape[1]} pixels but {where} has {pixels.shape[2]} x {pixels.shape[1]}; "
                "give a size to which all are resized and cropped."
            )
        return pixels


@dataclass
class _Block:
    """Rows that are mixed with each other.

    Attributes:
        number: How many blocks were before it.
        place: Where its first row is.
        rows: Those of it that were read.
        full: Whether these are all.
        order: The order in which they are given, once all were read.
    """

    number: int
    place: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    full: bool = False
    order: list[int] = field(default_factory=list)
