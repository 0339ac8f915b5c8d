"""The stored rows of a streamed data set, shard after shard."""

import weakref
from collections.abc import Generator
from copy import deepcopy
from itertools import islice
from typing import Any

import numpy as np

__all__ = ["START", "Row", "ShardRows", "first_row", "permutation"]

#: The word of the orders of shards; see `permutation`.
_SHARDS = 16

#: A row and its place in words, for messages.
Row = tuple[str, dict[str, Any]]

#: Where every stream begins: the epoch, the shard by its place in the epoch's order, the row in it,
#: and the state of its source.
START: dict[str, Any] = {"epoch": 0, "shard": 0, "row": 0, "source": None}


class ShardRows:
    """The stored rows, shard after shard and epoch after epoch, from a place on."""

    def __init__(self, dataset: Any, seed: int, place: dict[str, Any]) -> None:
        self._dataset = dataset
        self._seed = seed
        self._epoch, self._shard, self._row = place["epoch"], place["shard"], place["row"]
        self._open(place["source"])

    def place(self) -> dict[str, Any]:
        """Where the next row is."""
        # A source tells its state once it has given a row.
        source = self._source.state_dict() if self._begun else self._state
        return {"epoch": self._epoch, "shard": self._shard, "row": self._row, "source": source}

    def next(self) -> Row | None:
        """The next row, or None between two epochs."""
        while True:
            row = next(self._iterator, None)
            if row is not None:
                self._begun, self._row = True, self._row + 1
                return f"row {self._row - 1} of shard {self._number}", row
            self._closing()
            self._shard, self._row = self._shard + 1, 0
            at_end = self._shard == self._dataset.num_shards
            if at_end:
                self._epoch, self._shard = self._epoch + 1, 0
            self._open(None)
            if at_end:
                return None

    def _open(self, state: dict[str, Any] | None) -> None:
        count = self._dataset.num_shards
        self._number = permutation(count, self._seed, self._epoch, _SHARDS)[self._shard]
        self._source = self._dataset.shard(count, self._number)
        self._state, self._begun = state, False
        if state is not None:
            self._source.load_state_dict(deepcopy(state))
        self._iterator: Generator[dict[str, Any], None, None] = iter(self._source)
        # Before Python ends: its readers can't close their files once the modules are gone.
        self._closing = weakref.finalize(self, self._iterator.close)


def permutation(size: int, *words: int) -> list[int]:
    """The order of so many things that follows from a seed, a number and a word.

    The word keeps streams of random numbers apart; the lower ones are those of `DataOrder` and of
    trainings.
    """
    rng = np.random.default_rng(np.random.SeedSequence(words))
    order: list[int] = rng.permutation(size).tolist()
    return order


def first_row(dataset: Any, name: str) -> dict[str, Any]:
    """The first row, once it is known that a stream goes on after its own state."""
    iterator = iter(dataset)
    first: dict[str, Any] | None = next(iterator, None)
    if first is None:
        raise ValueError(f"{name} has no rows; give a data set with images.")
    state = dataset.state_dict()
    following = list(islice(iterator, 2))
    dataset.load_state_dict(state)
    if list(islice(iter(dataset), 2)) != following:
        raise ValueError(
            f"{name} does not go on after its own state, so that a training could not; give it "
            "as it is before dataset.shuffle, since a Stream mixes rows itself, and let nothing "
            "random make them."
        )
    return first
