"""Corruption levels chosen by measuring how far neighbouring distributions lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike, ImageSet, check_count, shown
from ..corruptions import Corruption
from .curves import Geometric, Linear, Table
from .distances import Estimator, distance_matrix
from .schedule import Range, Schedule

__all__ = ["Selection", "Wasserstein", "narrowest_path", "wasserstein"]

Method = Literal["auto", "closed", "exact", "sliced", "entropic"]


@checked
@dataclass(frozen=True)
class Selection:
    """The result of a selection.

    Attributes:
        candidates: The severities that were compared, ascending.
        severities: The chosen ones, both ends included.
        hops: The Wasserstein-2 distance between each two neighbours of `severities`.
        sigma: First and last noise level of the schedule to be built.
        sigma_saturation: The time from which the noise stays at its last level.
        method: The estimator that measured the distances.
    """

    candidates: list[float]
    severities: list[float]
    hops: list[float]
    sigma: Range
    sigma_saturation: float
    method: str

    @property
    def epsilon(self) -> float:
        """The largest hop."""
        return max(self.hops)

    def schedule(self) -> Schedule:
        """The schedule that reaches the chosen severities at equally spaced times."""
        start, end = self.sigma
        curve = Linear if start == 0 else Geometric
        return Schedule(Table(self.severities), curve(start, end, self.sigma_saturation))


@checked
class Wasserstein:
    r"""Chooses severities so that neighbouring corrupted distributions lie close together.

    Among the candidates, ordered by severity, it takes the path from the first to the last

    * with `levels` L: of L levels, whose largest hop is smallest (that hop is :math:`\epsilon`);
    * with `epsilon`: with the fewest hops none of which exceeds :math:`\epsilon`.

    A hop's length is the Wasserstein-2 distance between the data corrupted at its two ends. The
    chosen levels are spread evenly over t and joined by straight lines. Source: Daras et al.
    2022, Section 4; they leave epsilon, the estimator and the number of samples open.

    Arguments:
        max_severity: The last severity.
        sigma: First and last noise level, geometric in between (straight if the first is 0). The
            noise is not part of the distance: :math:`W_2^2` grows by at most
            :math:`n (\sigma_i - \sigma_j)^2` for n coordinates.
        levels: The number of levels, both ends counted, >= 2.
        epsilon: The cap on a hop; give either this or `levels`.
        min_severity: The first severity.
        candidates: How many severities are compared, equally spaced, at most 4,096;
            or the severities.
        sigma_saturation: The time from which the noise stays at its last level.
        method: "closed" is exact and takes one pass over the data, where the operators at two
            severities always form a symmetric positive semi-definite product; "exact" is an
            optimal assignment, "sliced" and "entropic" are estimates; "auto" takes "closed"
            where its condition holds and "sliced" elsewhere.
        samples: How many images the estimators other than "closed" use.
        seed: Chooses those images, and the directions of "sliced".

    Raises:
        ValueError: If not exactly one of `levels` and `epsilon` is given, or one is out of range.
    """

    def __init__(
        self,
        max_severity: float,
        sigma: Range,
        levels: int | None = None,
        epsilon: float | None = None,
        min_severity: float = 0.0,
        candidates: int | Sequence[float] = 256,
        sigma_saturation: float = 1.0,
        method: Method = "auto",
        samples: int = 256,
        seed: int = 0,
    ) -> None:
        _check_goal(levels, epsilon)
        self._estimator = Estimator(method, samples, seed)
        self.max_severity = max_severity
        self.sigma = (sigma[0], sigma[1])
        self.levels = levels
        self.epsilon = epsilon
        self.min_severity = min_severity
        self.candidates = candidates
        self.sigma_saturation = sigma_saturation
        self.method = method
        self.samples = samples
        self.seed = seed

    @checked
    def select(
        self, corruption: Corruption, data: ImageSet | ImageLike, progress: bool = True
    ) -> Selection:
        """Measures the distances on images and chooses the path.

        Arguments:
            corruption: The family of corruptions.
            data: Images, (N, C, ...), or a set of them, such as `softdiffusion.data.Images`,
                which is read a part at a time.
            progress: Whether a bar is shown where it takes more than two seconds.

        Raises:
            ValueError: If the candidates do not ascend, the corruption has no such severity, or
                no path keeps the cap.
        """
        candidates = self._candidates()
        method, distances = distance_matrix(corruption, data, candidates, self._estimator, progress)
        path = narrowest_path(distances, self.levels, self.epsilon)
        return Selection(
            candidates=candidates.tolist(),
            severities=candidates[path].tolist(),
            hops=[float(distances[i, j]) for i, j in zip(path, path[1:], strict=False)],
            sigma=self.sigma,
            sigma_saturation=self.sigma_saturation,
            method=method,
        )

    def _candidates(self) -> Tensor:
        low, high = self.min_severity, self.max_severity
        if isinstance(self.candidates, int):
            check_count("The number of candidates", max(self.candidates, 0), 0, 4096)
            candidates = torch.linspace(low, high, max(self.candidates, 0), dtype=torch.float64)
        else:
            candidates = torch.tensor(self.candidates, dtype=torch.float64)
        if len(candidates) < 2 or not (candidates.diff() > 0).all():
            raise ValueError(
                "There must be at least two candidate severities, in ascending order from "
                f"{low:g} to {high:g}, but there are {len(candidates)}, or they do not "
                "ascend."
            )
        if [candidates[0].item(), candidates[-1].item()] != [low, high]:
            raise ValueError(
                f"The candidate severities go from {candidates[0]:g} to {candidates[-1]:g}, but "
                f"must begin at min_severity, {low:g}, and end at max_severity, {high:g}."
            )
        return candidates


@checked
def wasserstein(
    corruption: Corruption,
    data: ImageSet | ImageLike,
    max_severity: float,
    sigma: Range,
    levels: int | None = None,
    epsilon: float | None = None,
    min_severity: float = 0.0,
    candidates: int | Sequence[float] = 256,
    sigma_saturation: float = 1.0,
    method: Method = "auto",
    samples: int = 256,
    seed: int = 0,
    progress: bool = True,
) -> Schedule:
    """Chooses the severities by `Wasserstein.select` and returns the schedule.

    The arguments behind `data` are those of `Wasserstein` and of its `select`.
    """
    choice = Wasserstein(
        max_severity,
        sigma,
        levels,
        epsilon,
        min_severity,
        candidates,
        sigma_saturation,
        method,
        samples,
        seed,
    )
    return choice.select(corruption, data, progress).schedule()


@checked
def narrowest_path(
    distances: np.ndarray, levels: int | None = None, epsilon: float | None = None
) -> list[int]:
    r"""Finds an ascending path from the first candidate to the last.

    With :math:`E_h(j)` the smallest possible largest hop of a path of h hops that ends in j,

    .. math:: E_{h+1}(j) = \min_{i < j} \max(E_h(i), d_{ij}),

    so :math:`E_{L-1}` at the last candidate is the smallest cap for `levels`, and the first h at
    which it is at most `epsilon` is the number of hops for `epsilon`. Of the paths with so many
    hops that keep the cap, it takes the one whose hops are most even, with the smallest sum of
    squares. It holds for any distances, monotone or not.

    Arguments:
        distances: The distances, (n, n); the upper triangle is read.
        levels: The number of levels of the path, both ends counted.
        epsilon: The cap on every hop; the path then has the fewest hops.

    Raises:
        ValueError: If not exactly one of `levels` and `epsilon` is given, or it is out of range,
            there are fewer candidates than levels, or no path keeps the cap.
    """
    _check_goal(levels, epsilon)
    n = len(distances)
    if distances.shape != (n, n):
        raise ValueError(f"The distances must be (n, n), but are {shown(distances)}.")
    if levels is not None and levels > n:
        raise ValueError(
            f"{levels} levels can't be chosen among {n} candidates; raise candidates to {levels}."
        )
    forward = np.where(np.arange(n)[:, None] < np.arange(n), distances, np.inf)
    if levels is not None:
        hops = levels - 1
        return _most_even_path(forward, hops, _smallest_caps(forward, hops)[-1])
    assert epsilon is not None  # as checked
    for hops, smallest in enumerate(_smallest_caps(forward, n - 1), start=1):
        if smallest <= epsilon:
            return _most_even_path(forward, hops, epsilon)
    raise ValueError(
        f"No path keeps every hop within epsilon = {epsilon:g}; the smallest cap that these "
        f"candidates allow is {_smallest_cap(forward):g}. Raise epsilon or the number of "
        "candidates."
    )


def _check_goal(levels: int | None, epsilon: float | None) -> None:
    if (levels is None) == (epsilon is None):
        raise ValueError(
            f"Give either levels or epsilon, but levels is {levels} and epsilon {epsilon}."
        )
    if levels is not None and levels < 2:
        raise ValueError(f"A path needs at least 2 levels, both ends counted, not {levels}.")
    if epsilon is not None and not epsilon > 0:
        raise ValueError(f"epsilon must be > 0, but is {epsilon:g}.")


def _smallest_caps(forward: np.ndarray, hops: int) -> list[float]:
    """The smallest largest hop of paths of 1, ..., `hops` hops to the last candidate."""
    widest = forward[0]
    caps = [float(widest[-1])]
    for _ in range(hops - 1):
        widest = np.maximum(widest[:, None], forward).min(axis=0)
        caps.append(float(widest[-1]))
    return caps


def _most_even_path(forward: np.ndarray, hops: int, cap: float) -> list[int]:
    """The path of so many hops, none above the cap, with the smallest sum of squares."""
    squares = np.where(forward <= cap, forward**2, np.inf)
    total = squares[0]
    origins = []
    for _ in range(hops - 1):
        through = total[:, None] + squares
        origins.append(through.argmin(axis=0))
        total = through.min(axis=0)
    path = [len(forward) - 1]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return [0, *path[::-1]]


def _smallest_cap(forward: np.ndarray) -> float:
    widest = np.full(len(forward), np.inf)
    widest[0] = 0.0
    for j in range(1, len(forward)):
        widest[j] = np.maximum(widest[:j], forward[:j, j]).min()
    return float(widest[-1])
