"""What an arm costs: the work of its training and the time of its sampling."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from .losses import read_losses

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """The cost of one arm in wall time.

    Attributes:
        images: The images that it was trained on.
        training_minutes: From the first batch to the last record, with checkpoints and grids of
            samples; what a stop lost is not counted.
        milliseconds_per_call: For one image when sampling, with the start and all that the sampler
            does beside the call.
    """

    images: int
    training_minutes: float
    milliseconds_per_call: float

    @classmethod
    def of(cls, rows: list[dict[str, Any]], losses: Path) -> "Cost":
        """The cost of an arm from the rows of one seed and the file of its losses.

        Raises:
            ValueError: If the file is damaged, or no network was called.
        """
        records = read_losses(losses)
        images = [0, *(record["images"] for record in records)]
        seconds = sum(
            (after - before) / record["images_per_second"]
            for (before, after), record in zip(pairwise(images), records, strict=True)
        )
        calls = sum(row["n"] * row["nfe"] for row in rows)
        if not calls:
            raise ValueError("no network was called")
        sampling = sum(row["sampling_seconds"] for row in rows)
        return cls(images[-1], seconds / 60, 1000 * sampling / calls)
