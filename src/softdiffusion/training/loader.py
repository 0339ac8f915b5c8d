"""Batches that are read, augmented and brought to the device ahead of the step that needs them."""

import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..checks import check_labels
from ..data import DataOrder, Images, Stream
from ..signals import end_with_parent, ignore_stops
from .times import stratified

__all__ = ["Batch", "Draws", "load_ahead", "readers_alive", "stream_seed"]

#: Batches that wait for their steps, and as many for each worker.
_AHEAD = 2


class Batch(NamedTuple):
    """A process's share of what a step needs.

    Attributes:
        x0: The clean images, (B, C, H, W).
        noise: Their noise, as `x0`.
        u: The uniform numbers that times are made of, (B,).
        labels: The classes that the network is told, int64, (B,), or None.
        place: Where a stream was before it gave this batch, or None.
    """

    x0: Tensor
    noise: Tensor
    u: Tensor
    labels: Tensor | None
    place: dict[str, Any] | None = None

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device; nobody waits for a copy from pinned memory."""
        pinned = device.type == "cuda"  # others copy what may be gone by then
        parts = (self.x0, self.noise, self.u)
        x0, noise, u = (part.to(device, non_blocking=pinned) for part in parts)
        labels = None if self.labels is None else self.labels.to(device, non_blocking=pinned)
        return Batch(x0, noise, u, labels, self.place)

    def pinned(self) -> "Batch":
        """The batch in memory from which a GPU copies by itself."""
        x0, noise, u = (part.pin_memory() for part in (self.x0, self.noise, self.u))
        labels = None if self.labels is None else self.labels.pin_memory()
        return Batch(x0, noise, u, labels, self.place)

    def split(self, parts: int) -> Iterator["Batch"]:
        """The batch in equal parts."""
        x0, noise, u = (part.chunk(parts) for part in (self.x0, self.noise, self.u))
        labels = [None] * parts if self.labels is None else self.labels.chunk(parts)
        return map(Batch, x0, noise, u, labels)


@dataclass(frozen=True)
class Draws(Dataset[Batch]):
    """What is drawn for the step at a position: a pure function of the seed and the position.

    Every process draws all noise, times and dropped labels of the batch, but reads its own share of
    the images alone.

    Attributes:
        data: The images; a stream goes on by a batch with every call, whatever the position.
        batch_size: Images a step, over all processes.
        seed: The seed of the training.
        share: Which of them are those of this process.
        flips: Whether every second image on average is mirrored.
        turns: Whether images are turned by a random number of quarter turns.
        classes: How many classes the network is told.
        label_dropout: The share of labels that are left out.
    """

    data: Images | Stream
    batch_size: int
    seed: int
    share: slice
    flips: bool = False
    turns: bool = False
    classes: int = 0
    label_dropout: float = 0.0

    def __getitem__(self, position: int) -> Batch:
        count, mine = self.batch_size, self.share
        order = DataOrder(1 if isinstance(self.data, Stream) else len(self.data), self.seed)
        place = None
        if isinstance(self.data, Stream):
            place = self.data.state()
            x0, labels = self.data.read(count, mine)
        else:
            indices = order.indices(position, count)[mine]
            x0 = self.data.draw(indices, order.seeds(position, count)[mine])
            labels = None if self.data.labels is None else self.data.labels[indices]
        if self.flips:
            x0 = _mirrored(x0, order.flips(position, count)[mine])
        if self.turns:
            x0 = _turned(x0, order.turns(position, count)[mine])
        generator = torch.Generator().manual_seed(stream_seed(self.seed, position, 1))
        noise = torch.randn(count, *self.data.shape, generator=generator)
        u = stratified(count, generator)
        labels = check_labels(labels, self.classes, len(x0)) if self.classes else None
        if labels is not None:
            dropped = torch.rand(count, generator=generator) < self.label_dropout
            labels = labels.masked_fill(dropped[mine], -1)
        return Batch(x0, noise[mine], u[mine], labels, place)


def load_ahead(
    draws: Draws, positions: range, workers: int, device: torch.device
) -> Generator[Batch, None, None]:
    """The batches at these positions, on the device; what is drawn does not depend on `workers`.

    Arguments:
        draws: Draws the batch at a position.
        positions: The positions, in their order.
        workers: Processes that draw ahead. Without them a thread does, where a GPU trains, and for
            a stream; but nobody if the data use global random numbers, which are the training's,
            too, or on a processor: beside a thread that draws, its steps take a sixth longer.
        device: Where the batches are needed.
    """
    pin = device.type == "cuda"

    def draw(position: int) -> Batch:
        return draws[position].pinned() if pin else draws[position]

    if isinstance(draws.data, Stream):
        batches: Iterable[Batch | Exception] = _by_thread(draw, positions)
    elif workers:
        batches = DataLoader(
            _Caught(draws),
            batch_size=None,
            sampler=positions,
            num_workers=workers,
            prefetch_factor=_AHEAD,
            pin_memory=pin,
            worker_init_fn=_deaf,
        )
    elif draws.data.uses_global_random or device.type == "cpu":
        batches = map(draw, positions)
    else:
        batches = _by_thread(draw, positions)
    for batch in batches:
        if isinstance(batch, Exception):
            raise batch
        yield batch.to(device)


@contextmanager
def readers_alive() -> Iterator[None]:
    """Says in one sentence that a worker was killed; torch says it wherever the training is.

    Raises:
        OSError: If one was.
    """
    try:
        yield
    except (EOFError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        raise OSError(
            "A process that reads batches ahead was killed, as where memory is short; lower "
            "--workers, and the same command goes on after the last checkpoint."
        ) from error


def stream_seed(seed: int, position: int, *words: int) -> int:
    """The seed of a stream of random numbers at a position; order and flips have words 0 and 2."""
    state = np.random.SeedSequence([seed, position, *words]).generate_state(1, np.uint64)[0]
    return int(state >> 2)


@dataclass(frozen=True)
class _Caught(Dataset[Batch | Exception]):
    """Draws, with errors passed on as they are: a worker's would be told with its traceback."""

    draws: Draws

    def __getitem__(self, position: int) -> Batch | Exception:
        try:
            return self.draws[position]
        except Exception as error:
            try:
                return pickle.loads(pickle.dumps(error))
            except Exception:  # an error of the user's own, which can't be passed on
                return ValueError(f"{type(error).__name__}: {error}")


def _deaf(worker: int) -> None:
    """Leaves it to the training to stop, with which it ends."""
    ignore_stops()
    end_with_parent()


def _by_thread(draw: Callable[[int], Batch], positions: range) -> Iterator[Batch]:
    thread, drawn = ThreadPoolExecutor(1), deque[Future[Batch]]()
    try:
        for position in positions:
            drawn.append(thread.submit(draw, position))
            if len(drawn) > _AHEAD:
                yield drawn.popleft().result()
        while drawn:
            yield drawn.popleft().result()
    finally:
        thread.shutdown(cancel_futures=True)


def _mirrored(x0: Tensor, chosen: Tensor) -> Tensor:
    return torch.where(chosen.reshape(-1, 1, 1, 1), x0.flip(-1), x0)


def _turned(x0: Tensor, quarters: Tensor) -> Tensor:
    return torch.stack(
        [image.rot90(int(k), (-2, -1)) for image, k in zip(x0, quarters, strict=True)]
    )
