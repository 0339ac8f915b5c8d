"""How the times of a training batch are drawn."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

__all__ = ["LEVELS", "ImportanceTimes", "StratifiedTimes", "TimeSampler", "level_of", "stratified"]

#: Equal parts of [0, 1] over which losses are recorded.
LEVELS = 10


class TimeSampler(ABC):
    """Draws times in (0, 1]; `state` is what a checkpoint has to keep."""

    state: Tensor

    @abstractmethod
    def at(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """The times for numbers that are uniform in (0, 1], with their weights in the loss.

        With these weights the loss is an average over all times.
        """

    @abstractmethod
    def update(self, t: Tensor, loss: Tensor) -> None:
        """Learns from the losses seen at the times `t`."""


class StratifiedTimes(TimeSampler):
    """The numbers themselves: as they are stratified, every batch sees all levels."""

    def __init__(self) -> None:
        self.state = torch.zeros(0)

    def at(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return u, torch.ones_like(u)

    def update(self, t: Tensor, loss: Tensor) -> None:
        """Nothing is learned."""


class ImportanceTimes(TimeSampler):
    r"""Times with density :math:`p(t) \propto \sqrt{E[\ell(t)^2]}`, weighted by :math:`1 / p(t)`.

    The second moment of the loss is averaged in each of ten levels; until every level has been
    seen, and for a tenth of the draws ever after, times are uniform. Source: the loss-second-moment
    resampling of Nichol and Dhariwal 2021, Section 3.3.
    """

    def __init__(self) -> None:
        self.state = torch.zeros(LEVELS)

    def at(self, u: Tensor) -> tuple[Tensor, Tensor]:
        density = self._density().to(u.device)
        edges = torch.cat([density.new_zeros(1), density.cumsum(0) / LEVELS])
        u = u.clamp(max=1 - 1e-6)
        level = torch.searchsorted(edges, u, right=True).sub(1).clamp(0, LEVELS - 1)
        within = (u - edges[level]) / (edges[level + 1] - edges[level])
        t = ((level + within) / LEVELS).clamp(1e-6, 1.0)
        return t, 1 / density[level]

    def update(self, t: Tensor, loss: Tensor) -> None:
        level = level_of(t)
        for k in level.unique():
            seen = loss[level == k].square().mean()
            self.state[k] = seen if self.state[k] == 0 else 0.95 * self.state[k] + 0.05 * seen

    def _density(self) -> Tensor:
        if (self.state == 0).any():
            return torch.ones(LEVELS)
        root = self.state.sqrt()
        return 0.1 + 0.9 * root / root.mean()


def stratified(count: int, generator: torch.Generator) -> Tensor:
    """One uniform number in each of `count` equal parts of (0, 1]."""
    return (torch.arange(1, count + 1) - torch.rand(count, generator=generator)) / count


def level_of(t: Tensor) -> Tensor:
    """The index of the level that each time belongs to."""
    return (t * LEVELS).long().clamp(max=LEVELS - 1)
