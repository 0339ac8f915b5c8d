"""The processes that share a command's images, as torchrun or accelerate started them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

__all__ = ["Team", "joined"]

Made = TypeVar("Made")

#: How long the processes, which are started together, wait until all are there.
_MEETING = timedelta(minutes=10)

#: How long one process waits for another, which may draw for days; one that ended is noticed at
#: once.
_PATIENCE = timedelta(days=365)


class Team:
    """This process among those that share a command's images; alone, it is the first of one.

    Images are shared out in batches, in turn. Their noise depends on seed and index alone, so it
    does not matter which process draws an image.

    Arguments:
        index: The number of this process.
        count: How many there are.
        group: By which they talk; None is the one of all processes, with its own patience.
    """

    def __init__(
        self, index: int = 0, count: int = 1, group: "distributed.ProcessGroup | None" = None
    ) -> None:
        self.index = index
        self.count = count
        self.group = group

    @property
    def is_first(self) -> bool:
        """Whether this process writes what there is once, and speaks."""
        return self.index == 0

    def size(self, total: int, most: int) -> int:
        """The images of a batch: at most `most`, and few enough for all processes to have some."""
        return min(most, -(-total // self.count))

    def parts(self, total: int, size: int) -> Iterator[range]:
        """The batches of this process, of `size` images each but the last of all."""
        for start in range(self.index * size, total, self.count * size):
            yield range(start, min(start + size, total))

    def each(self, value: Any) -> list[Any]:
        """What every process gives, in their order; all wait for each other.

        Raises:
            ConnectionError: If another process has ended.
        """
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        with _all_there():
            distributed.all_gather_object(found, value, self.group)
        return found

    def agreed(self, make: Callable[[], Made]) -> Made:
        """What this process makes; if one can't, none goes on as if it could.

        Raises:
            ValueError: In every process, if it is raised in one.
            ConnectionError: If another process has ended.
        """
        made: list[Made] = []
        reason = None
        try:
            made.append(make())
        except ValueError as error:
            reason = str(error)
        for told in self.each(reason):
            if told is not None:
                raise ValueError(told)
        return made[0]

    def gathered(self, own: Sequence[Tensor], total: int, size: int) -> Tensor | None:
        """In the first process the batches of all in their order, and None in the others.

        Arguments:
            own: The batches of `parts`, on the CPU.
            total: The number of images.
            size: Images of a batch.

        Raises:
            ConnectionError: If another process has ended.
        """
        if self.count == 1:
            return torch.cat(list(own))
        if not self.is_first:
            for rows in own:
                with _all_there():
                    distributed.send(rows.contiguous(), 0, self.group)
            return None
        whole = own[0].new_empty((total, *own[0].shape[1:]))
        for number, rows in enumerate(whole.split(size)):
            batch, owner = divmod(number, self.count)
            if owner == 0:
                rows.copy_(own[batch])
            else:
                with _all_there():
                    distributed.recv(rows, owner, self.group)
        return whole


@contextmanager
def joined() -> Iterator[Team]:
    """This process among the others: only the first one's output is seen, each has its own GPU.

    Where there are fewer GPUs than processes, they share them; `cuda` is the process's own.

    Raises:
        ValueError: If they don't find each other.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Team()
        return
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        distributed.init_process_group("gloo", timeout=_MEETING)
        group = distributed.new_group(timeout=_PATIENCE)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"The {count} processes of WORLD_SIZE don't find each other; start all of them with "
            "torchrun or accelerate launch, or unset WORLD_SIZE."
        ) from error
    team = Team(distributed.get_rank(), count, group)
    with ExitStack() as stack:
        if not team.is_first:
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(nowhere))
        yield team
    # After an error the others notice the end of the process, which is to speak before that.
    distributed.destroy_process_group()


@contextmanager
def _all_there() -> Iterator[None]:
    """Raises a sentence where another process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError(
            "Another of the processes that share this command has ended, so this one ends as well; "
            "give the same command again."
        ) from error
