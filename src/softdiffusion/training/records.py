"""What a training writes down while it runs."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..files import parse_json, read_text, write_text
from .checkpoint import written
from .times import LEVELS, level_of

__all__ = ["LossMeter", "Records"]


class LossMeter:
    """The mean loss since the last reading: over all times, which is minimised, and per level.

    Attributes:
        state: What a checkpoint has to keep, so that the next row is the same after a stop.
    """

    def __init__(self) -> None:
        self.state = torch.zeros(1 + 2 * LEVELS, dtype=torch.float64)
        self.total, self.sums, self.counts = self.state.split([1, LEVELS, LEVELS])  # views of it

    def add(self, t: Tensor, loss: Tensor, weight: Tensor) -> None:
        """Takes in the losses at the times `t`, with the weights that make up for their density."""
        self.total += (weight * loss).double().sum()
        level = level_of(t)
        self.sums.index_add_(0, level, loss.double())
        self.counts.index_add_(0, level, torch.ones_like(loss, dtype=torch.float64))

    def read(self) -> dict[str, Any]:
        """Returns the means and starts again; a level that was not seen is None."""
        per_level = [
            s / n if n else None
            for s, n in zip(self.sums.tolist(), self.counts.tolist(), strict=True)
        ]
        loss = float(self.total / self.counts.sum())
        self.state.zero_()
        return {"loss": loss, "loss_per_level": per_level}


class Records:
    """The rows of a run, in `stats.jsonl`.

    Arguments:
        folder: The folder of the run.
        images: The position at which the run goes on; rows behind it are dropped, since they
            will be written again.

    Raises:
        ValueError: If `stats.jsonl` holds something else than rows.
        OSError: If it can't be written.
    """

    def __init__(self, folder: Path, images: int) -> None:
        self.path = folder / "stats.jsonl"
        if self.path.exists():
            rows = [line for line in _lines(self.path) if json.loads(line)["images"] <= images]
            with written(str(self.path)):
                write_text(self.path, "".join(row + "\n" for row in rows))

    def write(self, row: dict[str, Any]) -> None:
        """Appends one row, which must name its position as `images`.

        Raises:
            OSError: If it can't be written.
        """
        line = json.dumps(row, allow_nan=False) + "\n"
        with written(str(self.path)), self.path.open("a", encoding="utf-8") as file:
            file.write(line)


def _lines(path: Path) -> list[str]:
    """The rows of a run; one that was being written when the run was killed is left out.

    Raises:
        ValueError: If another line is no row.
    """
    *lines, _torn = read_text(path).split("\n")
    for number, line in enumerate(lines, 1):
        if not _is_row(line):
            raise ValueError(
                f"{path} is damaged (line {number} is no row of a training); remove that line, or "
                "the file, to go on without it."
            )
    return lines


def _is_row(line: str) -> bool:
    try:
        row = parse_json(line)
    except ValueError:
        return False
    return isinstance(row, dict) and type(row.get("images")) is int and row["images"] > 0
