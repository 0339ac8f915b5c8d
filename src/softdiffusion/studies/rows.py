"""The measurements of a study, one row a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .study import Arm, Study

__all__ = ["Key", "Rows", "key_of"]

#: What tells rows apart: arm, seed, evaluation, calls.
Key = tuple[str, int, str, int]


class Rows:
    """A file of JSON lines that only grows, one line a measurement.

    Arguments:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows in the order in which they were measured.

        Raises:
            ValueError: If a line is no JSON.
        """
        if not self.path.exists():
            return
        for number, line in enumerate(self.path.read_text().splitlines(), start=1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                raise ValueError(
                    f"Line {number} of {self.path} is damaged; delete it, and it will be measured "
                    "again."
                ) from None

    def of(self, study: Study) -> list[dict[str, Any]]:
        """The rows of a study's arms.

        Raises:
            ValueError: If a row was made with another number of samples or of training images,
                recipe or way to draw samples than the study asks for now. Rows of version 0.1
                do not say their recipe.
        """
        rows = [row for row in self if row["arm"] in study.arms]
        for row in rows:
            images = study.arms[row["arm"]].recipe["images"]
            if (row["n"], row["images"]) != (study.samples, images):
                raise ValueError(
                    f"{self.path} has a row of {row['arm']} with {row['n']:,} samples after "
                    f"{row['images']:,} images, but the study asks for {study.samples:,} after "
                    f"{images:,}; remove the arm's rows, or give the arm another name."
                )
            _check_setting(self.path, study.arms[row["arm"]], row)
        return rows

    def keys(self, study: Study) -> set[Key]:
        """What was measured of a study's arms; raises as `of` does."""
        return {key_of(row) for row in self.of(study)}

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row, in one write: arms that run side by side share the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def _check_setting(path: Path, arm: Arm, row: dict[str, Any]) -> None:
    now = {e.label: arm.setting(e) for e in arm.evaluations}.get(row["evaluation"])
    if now and row.get("setting", now) != now:
        raise ValueError(
            f"{path} has a row of {arm.name} by {row['evaluation']} that was made by another "
            "recipe, or with other options, than the study names now; remove the arm's rows, or "
            "give the arm or the evaluation another name."
        )


def key_of(row: dict[str, Any]) -> Key:
    """What tells a row from all others."""
    return row["arm"], row["seed"], row["evaluation"], row["calls"]
