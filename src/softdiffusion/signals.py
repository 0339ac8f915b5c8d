"""The signals that stop a program: SIGINT, as Ctrl-C sends it, and SIGTERM.

Nothing but the standard library is imported, for the command answers them while it still starts.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager

TYPE_CHECKING = False  # typing itself takes a moment to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["Stopped", "end_with_parent", "handled", "ignore_stops"]

_STOPS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """Work was stopped by a signal, and the message says from where the same command goes on.

    Attributes:
        signum: The number of the signal.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Hears both signals until the block ends; then the handlers before are back.

    It does so in the main thread alone, where Python has signals, and not for a signal that the
    program is told to ignore, as in the background, or that other code than Python's handles.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for signum in _STOPS:
            known = signal.getsignal(signum)
            if known not in (None, signal.SIG_IGN):
                before[signum] = known
                signal.signal(signum, handler)
    try:
        yield
    finally:
        for signum, known in before.items():
            signal.signal(signum, known)


def ignore_stops() -> None:
    """Ignores both signals from now on, for a program that is about to end."""
    if threading.current_thread() is threading.main_thread():
        for signum in _STOPS:
            signal.signal(signum, signal.SIG_IGN)


def end_with_parent() -> None:
    """Ends this process, one of multiprocessing's, as soon as its parent has ended.

    It does not end by itself if the parent was killed: what it still has to give blocks at exit, in
    a pipe that is full and that nobody reads.
    """
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
