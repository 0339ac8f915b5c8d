"""What a training writes down while it runs."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .times import LEVELS, level_of

__all__ = ["LossMeter", "Records"]


class LossMeter:
    """The mean loss since the last reading: over all times, which is minimised, and per level."""

    def __init__(self) -> None:
        self.total = 0.0
        self.sums = torch.zeros(LEVELS, dtype=torch.float64)
        self.counts = torch.zeros(LEVELS, dtype=torch.float64)

    def add(self, t: Tensor, loss: Tensor, weight: Tensor) -> None:
        """Takes in the losses at the times `t`, with the weights that make up for their density."""
        self.total += float((weight * loss).double().sum())
        level = level_of(t)
        self.sums.index_add_(0, level, loss.double())
        self.counts.index_add_(0, level, torch.ones_like(loss, dtype=torch.float64))

    def read(self) -> dict[str, Any]:
        """Returns the means and starts again; a level that was not seen is None."""
        per_level = [
            s / n if n else None
            for s, n in zip(self.sums.tolist(), self.counts.tolist(), strict=True)
        ]
        loss = self.total / float(self.counts.sum())
        self.total = 0.0
        self.sums.zero_()
        self.counts.zero_()
        return {"loss": loss, "loss_per_level": per_level}


class Records:
    """The rows of a run: `stats.jsonl`, and TensorBoard's files where it is installed.

    Arguments:
        folder: The folder of the run.
        images: The position at which the run goes on; rows behind it are dropped, since they
            will be written again.
    """

    def __init__(self, folder: Path, images: int) -> None:
        self.path = folder / "stats.jsonl"
        if self.path.exists():
            rows = [line for line in self.path.read_text().splitlines() if _is_before(line, images)]
            draft = self.path.with_suffix(".draft")
            draft.write_text("".join(row + "\n" for row in rows))
            os.replace(draft, self.path)
        self.board = _tensorboard(folder, images)

    def write(self, row: dict[str, Any]) -> None:
        """Appends one row, which must name its position as `images`."""
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        if self.board is not None:
            for name, value in row.items():
                if isinstance(value, float):
                    self.board.add_scalar(name, value, row["images"])
            for level, value in enumerate(row["loss_per_level"]):
                if value is not None:
                    self.board.add_scalar(f"loss_per_level/{level}", value, row["images"])
            self.board.flush()

    def close(self) -> None:
        """Closes TensorBoard's file."""
        if self.board is not None:
            self.board.close()


def _is_before(line: str, images: int) -> bool:
    try:
        return bool(json.loads(line)["images"] <= images)
    except json.JSONDecodeError:  # the row that was being written when the run was killed
        return False


def _tensorboard(folder: Path, images: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=images + 1)
