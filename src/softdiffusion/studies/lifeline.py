"""The pipe between a study and its commands, by which they end with it, however it ends."""

import os
import signal
import time
from threading import Thread

__all__ = ["GRACE", "end_with_parent"]

#: Seconds in which a command that is stopped may save what it has, before it is killed.
GRACE = 60.0


def end_with_parent(handle: int = 0) -> None:
    """Stops this process, as SIGTERM does, once the other end of a pipe is closed.

    The system closes it when the process that holds it ends, even one that was killed and could
    tell nobody.

    Arguments:
        handle: The end to read from; the default is standard input.
    """
    Thread(target=_wait, args=(handle,), daemon=True).start()


def _wait(handle: int) -> None:
    while os.read(handle, 1):  # not through sys.stdin, whose lock would hold up the exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)
