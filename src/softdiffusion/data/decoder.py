"""Pictures as pixels, decoded by several processes where there are many."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..pictures import to_pixels
from ..signals import end_with_parent
from .files import Unread
from .stored import Stored

__all__ = ["Decoder"]

#: Up to as many files, of together as many bytes, are decoded by the process itself.
_FEW, _LITTLE = 1_000, 16_000_000

#: As many files, or files of as many bytes, are one task of a process.
_BLOCK, _BLOCK_BYTES = 16, 1_000_000

#: Decoding gets no faster by more processes than these, whose pictures one process writes.
_MOST_PROCESSES = 8

#: What a process gives for a file: the shape and the values of a picture, or why there is none.
_Result = tuple[tuple[int, ...], bytes] | str


@dataclass(frozen=True)
class Decoder:
    """How pictures become pixels, uint8 (C, H, W), with what a viewer shows.

    Attributes:
        source: The pictures.
        channels: 1 for grey, 3 for RGB.
        size: What the short side is resized to, or None; see `pictures.to_pixels`.
        square: Whether the centre is cropped to a square of this size.
    """

    source: Stored
    channels: int
    size: int | None
    square: bool

    def picture(self, index: int) -> np.ndarray:
        """The pixels of one picture.

        Raises:
            FileNotFoundError: If it is gone.
            ValueError: If it can't be read.
        """
        return self.pixels(self.source.read(index))

    def pixels(self, picture: np.ndarray) -> np.ndarray:
        """The pixels of a picture (H, W, C) that was read."""
        return to_pixels(picture, self.channels, self.size, self.square).numpy()

    def pictures(self, start: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """The pixels of all pictures from one on, each with its index, in their order.

        Raises:
            ValueError: If one or more can't be read, once all others have been given.
            ChildProcessError: If a process that decodes was ended.
        """
        from tqdm import tqdm

        unread = Unread()
        sizes = self.source.sizes
        blocks = _blocks(sizes, start)
        is_long = len(sizes) - start > _FEW or sum(sizes[start:]) > _LITTLE
        bar = tqdm(
            total=len(sizes),
            initial=start,
            desc="reading images",
            unit="image",
            disable=not is_long,
        )
        with closing(bar):
            for first, results in _decoded(_Blocks(self, blocks), is_long):
                for index, result in enumerate(results, first):
                    if isinstance(result, str):
                        unread.add(self.source.named(index), result)
                    else:
                        shape, content = result
                        yield index, np.frombuffer(content, np.uint8).reshape(shape)
                bar.update(len(results))
        unread.check()


class _Blocks(Dataset):
    """Pictures that are decoded together, so that processes need not talk about each of them."""

    def __init__(self, decoder: Decoder, blocks: list[range]) -> None:
        self.decoder = decoder
        self.blocks = blocks

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, number: int) -> tuple[int, list[_Result]]:
        block = self.blocks[number]
        return block.start, [self._result(index) for index in block]

    def _result(self, index: int) -> _Result:
        try:
            picture = self.decoder.picture(index)
        except (FileNotFoundError, ValueError) as error:
            return str(error)
        # As bytes, which go through a pipe: torch's shared memory is small in many containers.
        return picture.shape, picture.tobytes()


def _decoded(blocks: _Blocks, is_long: bool) -> Iterator[tuple[int, list[_Result]]]:
    """The blocks in their order."""
    is_child = multiprocessing.current_process().daemon  # which may have no children itself
    workers = min(_cores(), _MOST_PROCESSES, len(blocks)) if is_long and not is_child else 0
    own = torch.Generator()  # or else a loader draws a number from the global one
    try:
        yield from DataLoader(
            blocks,
            batch_size=None,
            num_workers=workers,
            generator=own,
            worker_init_fn=_begin,
        )
    except RuntimeError as error:
        if "worker" not in str(error):
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise ChildProcessError(
            f"A process that decodes pictures has ended ({reason}), perhaps since memory ran out; "
            "the same command goes on where it was."
        ) from None


def _begin(worker: int) -> None:
    end_with_parent()


def _blocks(sizes: Sequence[int], start: int) -> list[range]:
    """Ranges of files that are decoded together, of files that are large only one."""
    blocks, first, total = [], start, 0
    for index in range(start, len(sizes)):
        total += sizes[index]
        if index + 1 - first == _BLOCK or total >= _BLOCK_BYTES:
            blocks.append(range(first, index + 1))
            first, total = index + 1, 0
    return [*blocks, range(first, len(sizes))] if first < len(sizes) else blocks


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
