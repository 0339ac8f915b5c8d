"""The rows of an evaluation, written one by one, so that a stop loses at most one of them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Rows"]


class Rows:
    """The rows of `report.json`: what was measured, by sampler and steps, under equal conditions.

    Rows that an earlier evaluation in the same folder measured under the same conditions are taken
    over. Those of other conditions stay in the file, but are not shown.

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
        row = {**row, "conditions": self.conditions}
        self._rows = [other for other in _read(self.path) if not _same(other, row)] + [row]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(f".draft-{os.getpid()}")
        draft.write_text(json.dumps(self._rows, indent=2))
        os.replace(draft, self.path)


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two rows measure the same."""
    return all(a.get(key) == b[key] for key in ("sampler", "steps", "conditions"))


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        return [dict(row) for row in json.loads(path.read_text())]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it to measure again.") from None
