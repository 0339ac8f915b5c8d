"""Entry point of the command: whatever happens, it ends in one sentence and a code.

Nothing but the standard library is imported before `main` runs, so that Ctrl-C is answered from
the first moment on.
"""

from __future__ import annotations

import os
import signal
import sys

from ..signals import Stopped, handled, ignore_stops
from .voice import speaks

TYPE_CHECKING = False  # typing itself takes a moment to import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import NoReturn

__all__ = ["main"]

_STOPPED = "stopped; the same command starts again, and goes on where it can"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a subcommand.

    A problem ends in one sentence on standard error and a code that is not zero: 2 for arguments
    that can't be read, 130 and 143 for a stop by Ctrl-C and SIGTERM, 141 where nobody reads the
    output, and 1 for all else. `--debug` prints the traceback as well. Of several processes the
    first one that fails says why.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = " ".join(["softdiffusion", *_first_word(given)])
    # jsonargparse starts a Python, which would import from the folder that the command runs in.
    os.environ["PYTHONSAFEPATH"] = "1"
    with handled(_stop):  # SIGTERM, too, becomes an exception
        try:
            _run(given, command)
        except KeyboardInterrupt as stop:
            ignore_stops()
            _debug(given)
            if speaks():
                print(f"{command}: {str(stop) or _STOPPED}", file=sys.stderr)
            sys.exit(128 + getattr(stop, "signum", signal.SIGINT))
        except BrokenPipeError:
            _debug(given)
            _close_output()
            print(f"{command}: nobody reads the output any more", file=sys.stderr)
            sys.exit(128 + 13)  # SIGPIPE, which Windows does not name
        except Exception as error:
            from .endings import sentence

            _debug(given)
            sys.exit(f"{command}: {sentence(error, given)}" if speaks() else 1)


def _run(given: list[str], command: str) -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, so that progress bars and the next file fall in
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a locale may lack the signs that are printed
            stream.reconfigure(errors="backslashreplace")
    _check_here(command)

    def leave(signum: int, frame: FrameType | None) -> NoReturn:
        # While modules are imported there is nothing to tidy up, and an exception in the midst of
        # them could come out as another one, or be swallowed.
        os.write(2, f"{command}: {_STOPPED}\n".encode())
        os._exit(128 + signum)

    with handled(leave):
        from .commands import run
    try:
        run(given)
    except SystemExit:
        _flush()
        raise
    _flush()


def _check_here(command: str) -> None:
    """Ends where the working directory was deleted, for there torch's libraries end by themselves.

    Relative paths have no meaning there either.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        sys.exit(
            f"{command}: The folder that it runs in was deleted; change to another by cd, and give "
            "the same command again."
        )


def _first_word(given: list[str]) -> list[str]:
    return [word for word in given if not word.startswith("-")][:1]


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _close_output() -> None:
    """Lets the interpreter end without another attempt to write what nobody reads."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _debug(given: list[str]) -> None:
    if "--debug" in given:
        import traceback

        traceback.print_exc()


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(_STOPPED, signum)


if __name__ == "__main__":
    main()
