"""Stopping a training by a signal without losing what it has learned."""

import signal
import threading
import time
from types import FrameType
from typing import Self

__all__ = ["StopSignals", "Stopped"]

#: Seconds in which a launcher of several processes passes on the signal that they got themselves.
_PASSED_ON = 5.0


class Stopped(KeyboardInterrupt):
    """A training was stopped by a signal, and says from where the same command goes on.

    Attributes:
        signum: The number of the signal.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum


class StopSignals:
    """Listens for SIGINT and SIGTERM: the first is kept, a second one ends the training at once.

    It listens in the main thread alone, where Python has signals, and not for a signal that the
    program is told to ignore; afterwards the former handlers are back.

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
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(signum)
                if before not in (None, signal.SIG_IGN):
                    self._before[signum] = before
                    signal.signal(signum, self._hear)
        return self

    def __exit__(self, *reason: object) -> None:
        for signum, before in self._before.items():
            signal.signal(signum, before)  # type: ignore[arg-type]

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.signum:
            self.signum, self._since = signum, now
        elif now - self._since >= self._patience:
            raise Stopped(
                "stopped at once; the same command goes on after the last checkpoint", signum
            )
