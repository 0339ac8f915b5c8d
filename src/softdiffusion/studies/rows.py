"""The measurements of a study, one row a line."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..files import drafted, locked, parse_json, read_bytes
from ..quoting import shortened
from .study import Study

__all__ = ["Key", "Rows", "key_of"]

#: What tells rows apart: arm, seed, evaluation, calls.
Key = tuple[str, int, str, int]

#: What every row says.
_KEY = ("arm", "seed", "evaluation", "calls")

#: What the values of a row are, where it has them.
_TEXTS = ("arm", "evaluation", "extractor", "setting", "processor", "gpu", "torch")
_COUNTS = ("seed", "calls", "nfe", "n", "images", "floor_n", "threads")
_NUMBERS = ("frechet", "frechet_error", "floor", "floor_error", "sampling_seconds")


class Rows:
    """A file of JSON lines that only grows, one line a measurement.

    A last line that was cut off, as a program that was killed or a full disk leave it, counts as
    not measured, and goes when the next row is added.

    Arguments:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows in the order in which they were measured.

        Raises:
            ValueError: If a line is no JSON, or no row.
        """
        yield from self._parsed(self._lines()[0])

    @property
    def cut_off(self) -> bool:
        """Whether a last line was cut off."""
        return bool(self._lines()[1])

    def of(self, study: Study, needed: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The rows that a study asks for; those of other arms, seeds, evaluations or calls are not.

        Arguments:
            study: The study.
            needed: What these rows have to say.

        Raises:
            ValueError: If a row was made with another number of samples or of training images,
                another recipe or other options than the study names now, lacks what is needed, or
                stands there twice. A row without a `setting`, as they were first written, does not
                say its recipe and options.
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
            missing = [name for name in ("n", "images", *needed) if name not in row]
            if missing:
                raise ValueError(
                    f"{self.path} has a row of {row['arm']} by {row['evaluation']} without "
                    f"{', '.join(missing)}; delete it, and it will be measured again."
                )
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

    def append(self, row: dict[str, Any]) -> bool:
        """Adds a row, unless it was measured by another process by now; arms side by side may.

        Returns:
            Whether it was added.

        Raises:
            ValueError: If a value is no finite number, or a line of the file is damaged.
        """
        _check(row)
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            lines, _ = self._lines()
            if key_of(row) in map(key_of, self._parsed(lines)):
                return False
            with drafted(self.path.resolve()) as draft:
                draft.write_bytes(b"".join(known + b"\n" for known in lines) + line)
        return True

    def _lines(self) -> tuple[list[bytes], bytes]:
        """The lines that are whole, and what is left of one that was cut off."""
        if not self.path.exists():
            return [], b""
        *lines, last = read_bytes(self.path).split(b"\n")
        if last:
            try:
                _parse(last)
            except ValueError:
                return lines, last
            lines.append(last)  # whole but for the line's end, as some editors leave it
        return lines, b""

    def _parsed(self, lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _parse(line)
            except ValueError as error:
                raise ValueError(
                    f"Line {number} of {self.path} is damaged; delete it, and it will be measured "
                    f"again: {' '.join(str(error).split())}."
                ) from None


def key_of(row: dict[str, Any]) -> Key:
    """What tells a row from all others."""
    return row["arm"], row["seed"], row["evaluation"], row["calls"]


def _parse(line: bytes) -> dict[str, Any]:
    row = parse_json(line)
    if not isinstance(row, dict):
        raise ValueError(f"it is {shortened(row)}")
    _check(row)
    return row


def _check(row: dict[str, Any]) -> None:
    """Raises a ValueError unless a row can be told from others, and its values are what they are.

    Arguments:
        row: The row; of what only some rows have, nothing has to be there.
    """
    for name in _KEY:
        if name not in row:
            raise ValueError(f"it has no {name}")
    for name, value in row.items():
        number = type(value) in (int, float)
        fits = (
            (name not in _TEXTS or (isinstance(value, str) and value.isprintable()))
            and (name not in _COUNTS or (type(value) is int and value >= 0))
            and (name not in _NUMBERS or number)
            and (not number or _is_finite(value))
        )
        if not fits:
            raise ValueError(f"its {name} is {shortened(value)}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
