"""Watches what Python opens, imports and runs: a hook can't be taken away, so there is one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: What a configuration must never cause.
_HARM = ("open", "import", "exec", "marshal.", "os.", "shutil.", "socket.", "subprocess.")

_watched: list[list[str]] = []


def _hook(event: str, arguments: tuple) -> None:
    if _watched and event.startswith(_HARM):
        _watched[-1].append(f"{event}{arguments!r}"[:200])


sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collects harmful events until the end of the block."""
    events: list[str] = []
    _watched.append(events)
    try:
        yield events
    finally:
        _watched.remove(events)
