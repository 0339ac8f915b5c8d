"""The order of training images: a pure function of seed and position."""

import functools

import numpy as np
import torch
from torch import Tensor

__all__ = ["MEASURED", "DataOrder", "measured"]

#: As many images are enough to measure distances and to fit a start; reading more is slow.
MEASURED = 10_000


def measured(size: int) -> Tensor:
    """The indices of the images, of `size` in all, that stand for the data in measurements.

    Distances are measured and starts are fitted on them: the first 10,000 of the order of seed 0,
    or all, shape (min(size, 10,000),).
    """
    return DataOrder(size, 0).indices(0, min(size, MEASURED))


class DataOrder:
    """Goes through all images in a new random order every epoch.

    The position counts images since the start of training, >= 0; what is at a position depends on
    the seed and the position alone, so a training can be resumed anywhere. Epoch
    e = position // size is one permutation of all images, drawn from (seed, e).

    Arguments:
        size: The number of images, >= 1.
        seed: The seed, >= 0.

    Raises:
        ValueError: If there is no image or the seed is negative.
    """

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError(f"An order needs at least one image, but there are {size}.")
        if seed < 0:
            raise ValueError(f"A seed must be >= 0, but is {seed}.")
        self.size = size
        self.seed = seed

    def indices(self, position: int, count: int) -> Tensor:
        """The indices of the images at position, ..., position + count - 1, shape (count,)."""
        parts = []
        while count > 0:
            epoch, offset = divmod(position, self.size)
            part = _permutation(self.size, self.seed, epoch)[offset : offset + count]
            parts.append(part)
            position += len(part)
            count -= len(part)
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.long)

    def flips(self, position: int, count: int) -> Tensor:
        """Whether the images at these positions are mirrored, shape (count,); half of them are."""
        bits = [_bit(self.seed, index) for index in range(position, position + count)]
        return torch.tensor(bits, dtype=torch.bool)

    def turns(self, position: int, count: int) -> Tensor:
        """By how many quarters, 0 to 3, the images at these positions are turned, (count,)."""
        return self._words(position, count, stream=0) % 4

    def seeds(self, position: int, count: int) -> Tensor:
        """A seed in [0, 2^63) for each of these positions, int64, (count,)."""
        return self._words(position, count, stream=1)

    def _words(self, position: int, count: int, stream: int) -> Tensor:
        """Random words of 63 bits: Philox counts, and a position is one step, of four words."""
        key = np.random.SeedSequence([self.seed, stream]).generate_state(2, np.uint64)
        words = np.random.Philox(key=key, counter=position).random_raw(4 * count)
        return torch.from_numpy((words[::4] >> np.uint64(1)).astype(np.int64))


@functools.lru_cache(maxsize=2)
def _permutation(size: int, seed: int, epoch: int) -> Tensor:
    # SeedSequence mixes its words, so that neighbouring seeds and epochs are unrelated; the last
    # word keeps the streams of order and flips apart.
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch, 0]))
    return torch.from_numpy(rng.permutation(size))


def _bit(seed: int, position: int) -> bool:
    return bool(np.random.SeedSequence([seed, position, 2]).generate_state(1)[0] & 1)
