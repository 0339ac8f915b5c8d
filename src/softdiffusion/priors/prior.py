"""The base class of starts, and the noise that all of them draw alike."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_count, check_one_label_each
from ..process import SoftDiffusion
from ..random import Generator, randn

__all__ = ["Prior", "assemble", "choose"]


class Prior(ABC):
    """The distribution that sampling starts from."""

    process: SoftDiffusion

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "sample" in cls.__dict__:
            cls.sample = checked(_on_counts(cls.sample))  # type: ignore[method-assign]

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
            n: How many, >= 1.
            generator: One generator for all, or a sequence of `n` of them, one for every image,
                which then has the same noise whatever else is drawn with it.
            device: Where the result lies.
            labels: The class of every image, int64, (n,), -1 for none. Only a mixture that was
                fitted to classes starts differently for each of them.

        Returns:
            Images x_1, (n, C, H, W), float32.

        Raises:
            ValueError: If the number of generators or of labels is not `n`, the labels do not fit a
                mixture of classes, or there is no such device.
        """


Sample = Callable[..., Tensor]


def _on_counts(sample: Sample) -> Sample:
    """How a prior draws, for any number of images that there can be, with one label each."""

    @functools.wraps(sample)
    def on_counts(
        self: Prior,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        check_count("The number of starts", n, 1, 10_000_000)
        if labels is not None:
            check_one_label_each(labels, n)
        return sample(self, n, generator, _device(device), labels)

    return on_counts


def _device(name: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch raises either
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"There is no device {str(name)!r}: {reason}.") from None


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
