"""The losses of an arm's training, as the training wrote them down."""

import math
from pathlib import Path
from typing import Any

from ..files import parse_json, read_bytes
from ..quoting import shortened

__all__ = ["read_losses"]


def read_losses(path: Path) -> list[dict[str, Any]]:
    """The rows of a copy of `stats.jsonl`.

    Raises:
        ValueError: If there is none, or one does not say how many images were seen by then, more
            than before, and how many a second.
    """
    records: list[dict[str, Any]] = []
    images = 0
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        try:
            record = parse_json(line)
            images = _images(record, images)
        except ValueError as error:
            raise ValueError(f"line {number} of {path.name} is damaged: {error}") from None
        records.append(record)
    if not records:
        raise ValueError(f"{path.name} has no row; train for longer, or log more often")
    return records


def _images(record: Any, before: int) -> int:
    """The images that were seen, if a row says that and the speed."""
    if not isinstance(record, dict):
        raise ValueError(f"it is {shortened(record)}")
    images, speed = record.get("images"), record.get("images_per_second")
    if not isinstance(images, int) or not before < images < 2**53:
        raise ValueError(f"its images are {shortened(images)}, after {before}")
    if not isinstance(speed, int | float) or not 0 < speed < math.inf:
        raise ValueError(f"its images_per_second are {shortened(speed)}")
    return images
