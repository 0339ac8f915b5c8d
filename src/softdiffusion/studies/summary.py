"""Rows of a study brought together over seeds."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Result", "summarise"]

#: Differences of less than this many standard errors are called a tie.
_TIE = 2.0


@dataclass(frozen=True)
class Result:
    r"""The distance of one arm in one evaluation at one number of calls.

    The error over S seeds is :math:`\sqrt{\max(s^2, \bar e^2) / S}`, where s is the standard
    deviation over the seeds, each with samples of its own, and :math:`\bar e` the root mean square
    of the jackknife's errors of sampling. The spread contains the sampling, but of a few seeds it
    may come out too small; for a single seed the error is that of sampling alone.

    Attributes:
        distance: The mean Fréchet distance over the seeds.
        error: Its standard error.
        seeds: The number S of seeds.
        nfe: The network calls that were made.
        floor: The distance of real test images.
    """

    distance: float
    error: float
    seeds: int
    nfe: int
    floor: float

    @classmethod
    def of(cls, rows: list[dict[str, Any]]) -> "Result":
        """Brings the rows of all seeds together."""
        distances = [row["frechet"] for row in rows]
        count = len(rows)
        mean = sum(distances) / count
        # Roots of sums of squares, without squares that overflow.
        spread = math.hypot(*(d - mean for d in distances)) / math.sqrt(max(count - 1, 1))
        sampling = math.hypot(*(row["frechet_error"] for row in rows)) / math.sqrt(count)
        error = max(spread, sampling) / math.sqrt(count)
        return cls(mean, error, count, rows[0]["nfe"], rows[0]["floor"])

    def ties_with(self, other: "Result") -> bool:
        """Whether the two differ by less than two standard errors of their difference."""
        return abs(self.distance - other.distance) < _TIE * math.hypot(self.error, other.error)

    def is_among_best(self, column: Iterable["Result"]) -> bool:
        """Whether it is the smallest distance of a column of results, or ties with that."""
        best = min(column, key=lambda result: result.distance)
        return self == best or self.ties_with(best)

    def __str__(self) -> str:
        return f"{self.distance:.2f} ± {self.error:.2f}"


def summarise(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, int], dict[str, Result]]:
    """The results by (evaluation, calls), and there by arm, in the order of the rows."""
    groups: dict[tuple[str, int], dict[str, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        groups[row["evaluation"], row["calls"]][row["arm"]].append(row)
    return {
        column: {arm: Result.of(found) for arm, found in arms.items()}
        for column, arms in groups.items()
    }
