"""The rows of an evaluation, written one by one, so that a stop loses at most one of them."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..files import finite, locked, read_text, write_json

__all__ = ["Rows"]

#: Drafts that a kill left before drafts had names of their own kind.
_OLD_DRAFT = re.compile(r"report\.draft-\d+")


class Rows:
    """The rows of `report.json`: what was measured, by sampler and steps, under equal conditions.

    Rows that an earlier evaluation in the same folder measured under the same conditions are taken
    over. Those of other conditions stay in the file, but are not shown. Any number of evaluations
    may add rows to one file at the same time; of equal rows the last one stays.

    Arguments:
        path: The file.
        conditions: What values depend on beside the sampler: the model, the data, the extractor,
            the count and the seed.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(self, path: Path, conditions: dict[str, Any]) -> None:
        self.path = path
        self.conditions = conditions
        self._rows = _read(path)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (row for row in self._rows if row.get("conditions") == self.conditions)

    def has(self, sampler: str, steps: int) -> bool:
        """Whether this row is there already."""
        return any((row["sampler"], row["steps"]) == (sampler, steps) for row in self)

    def add(self, row: dict[str, Any]) -> None:
        """Adds a row to those that the file has by now, for another evaluation may run beside."""
        row = finite({**row, "conditions": self.conditions})
        with self.alone():
            self._rows = [other for other in self._rows if not _same(other, row)] + [row]
            write_json(self.path, self._rows)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other evaluations out of the folder; the rows are those of the file by now."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        with locked(lock):
            try:
                for file in self.path.parent.iterdir():
                    if _OLD_DRAFT.fullmatch(file.name):
                        file.unlink()
                self._rows = _read(self.path)
                yield
            finally:
                with suppress(OSError):  # Windows keeps a file that is open
                    lock.unlink()


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two rows measure the same."""
    return all(a.get(key) == b[key] for key in ("sampler", "steps", "conditions"))


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        rows = [finite(dict(row)) for row in json.loads(read_text(path))]
        if not all({"sampler", "steps"} <= row.keys() for row in rows):
            raise ValueError("a row lacks its sampler or its steps")
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it to measure again.") from None
    return rows
