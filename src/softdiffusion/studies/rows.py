"""The measurements of a study, one row a line."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .study import Study

__all__ = ["Key", "Rows", "key_of"]

#: What tells rows apart: arm, seed, evaluation, calls.
Key = tuple[str, int, str, int]


class Rows:
    """A file of JSON lines that only grows, one line a measurement.

    Arguments:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

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
        """The rows that a study asks for; those of other arms, seeds, evaluations or calls are not.

        Raises:
            ValueError: If a row was made with another number of samples or of training images,
                another recipe or other options than the study names now, or stands there twice. A
                row without a `setting`, as they were first written, does not say its recipe and
                options.
        """
        settings = {
            (arm.name, seed, evaluation.label, calls): arm.setting(evaluation)
            for arm in study.arms.values()
            for seed in arm.seeds
            for evaluation in arm.evaluations
            for calls in evaluation.calls
        }
        rows = [row for row in self if key_of(row) in settings]
        for (arm, seed, evaluation, calls), times in Counter(map(key_of, rows)).items():
            if times > 1:  # a second one would count as a second seed
                raise ValueError(
                    f"{self.path} has {times} rows of {arm}, seed {seed}, by {evaluation} with "
                    f"{calls} calls; delete all but one."
                )
        for row in rows:
            images = study.arms[row["arm"]].recipe["images"]
            if (row["n"], row["images"]) != (study.samples, images):
                raise ValueError(
                    f"{self.path} has a row of {row['arm']} with {row['n']:,} samples after "
                    f"{row['images']:,} images, but the study asks for {study.samples:,} after "
                    f"{images:,}; remove the arm's rows, or give the arm another name."
                )
            if "setting" in row and row["setting"] != settings[key_of(row)]:
                raise ValueError(
                    f"{self.path} has a row of {row['arm']} by {row['evaluation']} that was made "
                    "by another recipe, or with other options, than the study names now; remove "
                    "the arm's rows, or give the arm or the evaluation another name."
                )
        return rows

    def keys(self, study: Study) -> set[Key]:
        """What was measured of what a study asks for; raises as `of` does."""
        return {key_of(row) for row in self.of(study)}

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row, in one write: arms that run side by side share the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def key_of(row: dict[str, Any]) -> Key:
    """What tells a row from all others."""
    return row["arm"], row["seed"], row["evaluation"], row["calls"]
