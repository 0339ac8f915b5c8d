"""The folder of a command whose work goes on after a stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..files import locked, read_json, write_json

__all__ = ["Unfinished", "claimed"]

_REPORT = "report.json"
_LOCK = ".restore.lock"

#: What a work has in its folder before it has made anything.
_OWN = {_REPORT, _LOCK, f".{_REPORT}.draft"}


class Unfinished:
    """The report of a work in its folder: what it was asked for, and what is done.

    Arguments:
        folder: The folder.
        asked: What the work was asked for, as plain values.
        rows: What is done, by name.
        warnings: What spoke against it.
    """

    def __init__(
        self, folder: Path, asked: dict[str, Any], rows: dict[str, Any], warnings: list[str]
    ) -> None:
        self.folder = folder
        self.asked = asked
        self.rows = rows
        self.warnings = warnings

    def save(self) -> None:
        """Writes what is done so far."""
        self._write(complete=False, warnings=self.warnings)

    def finish(self, **more: Any) -> Path:
        """Writes the whole report, and returns its path."""
        return self._write(complete=True, **more)

    def _write(self, **more: Any) -> Path:
        path = self.folder / _REPORT
        rows = [*self.rows.values()]
        write_json(path, {"command": "restore", **self.asked, **more, "images": rows})
        return path


@contextmanager
def claimed(folder: Path, asked: dict[str, Any], digests: dict[str, str]) -> Iterator[Unfinished]:
    """Takes a folder for a work: a new or empty one, or that of the same work.

    Arguments:
        folder: The folder.
        asked: What the work was asked for, as plain values; `arguments` holds the flags.
        digests: The SHA-256 of every file that it works on, by name.

    Raises:
        ValueError: If the folder holds something else, or the same work is under way.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        folder.mkdir(parents=True, exist_ok=True)
    else:
        _check_own(folder)
    busy = f"Another process restores into {folder}; wait for it, or choose another --out."
    with locked(folder / _LOCK, busy, timeout=0):
        work = _begun(folder, asked, digests)
        if not work.rows:
            work.save()
        yield work


def _check_own(folder: Path) -> None:
    """Raises unless the folder holds a restoration, or nothing but what its begin left."""
    present = {path.name for path in folder.iterdir()}
    if _REPORT not in present and not present - _OWN:
        return
    report = read_json(folder / _REPORT) if _REPORT in present else None
    if not isinstance(report, dict) or report.get("command") != "restore":
        other = sorted(present)[0]
        raise ValueError(
            f"{folder} holds something else than a restoration ({other}); choose another --out."
        )


def _begun(folder: Path, asked: dict[str, Any], digests: dict[str, str]) -> Unfinished:
    """What an earlier call of the same command has done."""
    path = folder / _REPORT
    if not path.exists():
        return Unfinished(folder, asked, {}, [])
    report = read_json(path)
    rows = report.get("images") if isinstance(report, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"name", "sha256"} <= row.keys() for row in rows
    ):
        raise ValueError(f"{path} is damaged; choose another --out.")
    if not rows and not {path.name for path in folder.iterdir()} - _OWN:
        return Unfinished(folder, asked, {}, [])  # it was refused, or stopped before it began
    for name, value in asked.items():
        old = report.get(name)
        if old == value:
            continue
        if name == "arguments" and isinstance(old, dict):
            flag = next(key for key in {**value, **old} if value.get(key) != old.get(key))
            what = f"{_said(flag, old)}, not {_said(flag, value)}"
        else:
            what = f"another {name}"
        raise ValueError(
            f"{folder} holds a restoration with {what}; choose another --out, or give the same "
            "command."
        )
    for row in rows:
        if digests.get(row["name"]) != row["sha256"]:
            raise ValueError(
                f"{folder} holds the restoration of another picture {row['name']}; choose another "
                "--out."
            )
    done = {row["name"]: row for row in rows}
    return Unfinished(folder, asked, done, list(report.get("warnings", [])))


def _said(flag: str, arguments: dict[str, Any]) -> str:
    """An argument as it was given."""
    value = arguments.get(flag)
    return f"no --{flag}" if value is None else f"--{flag} {value}"
