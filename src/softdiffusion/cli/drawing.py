"""Drawing images batch by batch."""

from collections.abc import Callable, Iterable, Iterator

from torch import Tensor

from ..priors import Prior
from ..random import generators
from ..samplers import Sampler

__all__ = ["drawn"]


def drawn(
    sampler: Sampler,
    prior: Prior,
    seed: int,
    parts: Iterable[range],
    labels: Callable[[range], Tensor | None],
    device: str,
) -> Iterator[tuple[range, Tensor]]:
    """Draws images a batch at a time, so that memory does not depend on their number.

    Arguments:
        sampler: Goes from the starts to the images.
        prior: Draws the starts.
        seed: The noise of an image is a pure function of it and of the image's index.
        parts: The indices of every batch.
        labels: The classes of the images of a batch, int64, or None.
        device: Where the network lies.

    Yields:
        The indices and their images, (B, C, H, W) in [-1, 1], on the CPU.
    """
    for part in parts:
        noise, told = generators(seed, part), labels(part)
        x1 = prior.sample(len(part), noise, labels=told).to(device)
        yield part, sampler(x1, noise, labels=told).cpu().clamp(-1, 1)
