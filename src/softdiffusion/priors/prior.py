"""The base class of starts, and the noise that all of them draw alike."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..process import SoftDiffusion
from ..random import Generator, randn

__all__ = ["Prior", "assemble", "choose"]


class Prior(ABC):
    """The distribution that sampling starts from."""

    process: SoftDiffusion

    @abstractmethod
    def sample(
        self,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        """Draws `n` fully corrupted images.

        Arguments:
            n: How many.
            generator: One generator for all, or a sequence of `n` of them, one for every image,
                which then has the same noise whatever else is drawn with it.
            device: Where the result lies.
            labels: The class of every image, int64, (n,), -1 for none. Only a mixture that was
                fitted to classes starts differently for each of them.

        Returns:
            Images x_1, (n, C, H, W), float32.

        Raises:
            ValueError: If the number of generators is not `n`, or the labels do not fit a mixture
                of classes.
        """


def choose(weights: Tensor, n: int, generator: Generator) -> Tensor:
    """Draws `n` indices, each with the probability of its weight."""
    # The distribution function turns a normal number into a uniform one, so that all noise comes
    # from the same function, whatever kind of generator there is.
    uniform = torch.special.ndtr(randn((n, 1), generator, dtype=torch.float64))[:, 0]
    steps = weights.double().cumsum(dim=0)
    index = torch.searchsorted(steps / steps[-1], uniform, right=True)
    return index.clamp(max=len(weights) - 1)


def assemble(
    process: SoftDiffusion, mean: Tensor, modes: Tensor, z: Tensor, generator: Generator
) -> Tensor:
    """Returns the images with coefficients `z`, (n, K), under the last noise level."""
    signal = mean.to(z) + (z @ modes.to(z).flatten(1)).reshape(-1, *mean.shape)
    noise = randn(signal.shape, generator, device=z.device)
    return signal + process.sigma(1.0).to(z) * noise
