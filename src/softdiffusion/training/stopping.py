"""Stopping a training by a signal without losing what it has learned."""

import time
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Self

from ..signals import Stopped, handled

__all__ = ["StopSignals"]

#: Seconds in which a launcher of several processes passes on the signal that they got themselves.
_PASSED_ON = 5.0


class StopSignals:
    """Listens for SIGINT and SIGTERM: the first is kept, a second one ends the training at once.

    It listens where `signals.handled` does; afterwards the former handlers are back.

    Arguments:
        several: Whether several processes train, whose launcher passes signals on: those of the
            same 5 seconds are one then.

    Attributes:
        signum: The first signal, or 0.
    """

    def __init__(self, several: bool = False) -> None:
        self.signum = 0
        self._patience = _PASSED_ON if several else 0.0
        self._since = 0.0
        self._listening: AbstractContextManager[None] = handled(self._hear)

    def __enter__(self) -> Self:
        self._listening.__enter__()
        return self

    def __exit__(self, *reason: Any) -> None:
        self._listening.__exit__(*reason)

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.signum:
            self.signum, self._since = signum, now
        elif now - self._since >= self._patience:
            raise Stopped(
                "stopped at once; the same command goes on after the last checkpoint", signum
            )
