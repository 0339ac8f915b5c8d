"""Missing Fourier coefficients, as in magnetic resonance imaging."""

import functools
from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_range, per_sample
from ..operators import Diagonal, Hartley, LinearOperator
from ..random import generators
from .corruption import Corruption
from .frequencies import periodic_frequencies, squared_norm

__all__ = ["UndersampledFourier"]


@checked
class UndersampledFourier(Corruption):
    r"""Takes Fourier coefficients away: the severity is the share of them that is missing.

    .. math:: C = F^{-1} M F

    with a mask M of zeros and ones. A frequency k and its opposite -k are missing together, so
    that a real image stays real; the projection is diagonal in the Hartley transform. They
    disappear in a random order that is fixed by the seed: first the outer ones, then the centre
    (the lowest frequencies), and the mean last of all, so that nothing is left at severity 1. The
    share is met to the nearest pair of frequencies or lines. Magnetic resonance images have a
    phase, too; here the image is real, as is usual for magnitude images.

    Arguments:
        centre: The share of frequencies (or lines) that forms the centre, in [0, 1]; with 1 they
            are missing from the highest to the lowest, without chance.
        lines: Whether whole lines along the last axis are missing, as in scans that measure line
            by line. Lines are frequencies of the axes before the last.
        seed: Chooses the order.

    Raises:
        ValueError: If the centre is out of range; when applied, if `lines` meets images of one
            axis.

    Source: Zbontar et al. 2018, fastMRI (a complete centre of 8 %, and random lines).
    """

    unit: ClassVar[str] = "share of the frequencies removed"
    max_severity = 1.0
    transform = Hartley()

    def __init__(self, centre: float = 0.08, lines: bool = False, seed: int = 0) -> None:
        check_range("The centre of an undersampled Fourier transform", centre, 0.0, 1.0)
        generators(seed, [0])  # raises if it is negative
        self.centre = centre
        self.lines = lines
        self.seed = seed

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            shape = tuple(z.shape[2:])
            if self.lines and len(shape) == 1:
                raise ValueError(
                    "Images of one axis have no lines of frequencies; use lines=False."
                )
            sampled = (*shape[:-1], 1) if self.lines else shape
            times = _times(sampled, self.centre, self.seed).to(z)
            return (times[None, None] >= per_sample(severity, z)).to(z.dtype)

        return Diagonal(self.transform, symbol)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _times(shape: tuple[int, ...], centre: float, seed: int) -> Tensor:
    """The severity up to which each frequency of a grid is kept.

    Groups (k and -k, or a k that is its own opposite) go one after the other; of N frequencies, a
    group of g that goes after m others goes at the severity (m + g / 2) / N.
    """
    index = torch.arange(torch.Size(shape).numel()).reshape(shape)
    axes = tuple(range(len(shape)))
    opposite = index.flip(axes).roll((1,) * len(axes), axes)
    first, group, size = torch.minimum(index, opposite).unique(
        return_inverse=True, return_counts=True
    )
    grid = torch.empty(1, 1, *shape, dtype=torch.float64)
    radius = squared_norm(periodic_frequencies(grid)).flatten()[first]
    nearest = radius.argsort(stable=True)
    is_central = _before(size[nearest]) < max(centre * index.numel(), 1)
    inner = nearest[is_central]
    generator = torch.Generator().manual_seed(seed)
    turn = torch.rand(len(first), generator=generator, dtype=torch.float64)
    turn[inner] = 1 + torch.arange(len(inner), dtype=turn.dtype).flip(0)
    order = turn.argsort()
    times = torch.empty_like(turn)
    times[order] = (_before(size[order]) + 0.5 * size[order].double()) / index.numel()
    return times[group]


def _before(sizes: Tensor) -> Tensor:
    """How many lie in front of each group."""
    return sizes.cumsum(dim=0) - sizes
