"""The modes of the data that outlive the noise."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import torch
from torch import Tensor

from ..checks import check_data
from ..process import SoftDiffusion

__all__ = ["Modes", "at_least_one", "check_modes", "summary", "surviving_modes"]

#: Up to so many images or coordinates, whichever are fewer, the eigenvectors are exact.
_LARGEST_EXACT = 4096

#: Images that are corrupted at once.
_CHUNK = 1024

#: Passes of the subspace iteration, and the directions it carries beyond those asked for.
_PASSES = 4
_SPARE_DIRECTIONS = 16

#: Goes through the images once more, a part at a time.
Chunks = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Modes:
    """The modes that outlive the noise, and the corrupted, centred data as chunks (B, n)."""

    mean: Tensor
    modes: Tensor
    explained: float
    chunks: Chunks

    def coefficients(self) -> Tensor:
        """The z of all images, (N, K)."""
        u = self.modes.flatten(1)
        return torch.cat([chunk @ u.T / u.square().sum(dim=1) for chunk in self.chunks()])


def surviving_modes(
    process: SoftDiffusion, data: Tensor, tolerance: float, max_modes: int
) -> Modes:
    """Finds the modes that outlive the noise, as `GaussianPrior.fit` describes them.

    Raises:
        ValueError: As there.
    """
    if not tolerance > 0:
        raise ValueError(f"The tolerance must be > 0, but is {tolerance:g}.")
    if max_modes < 1:
        raise ValueError(f"max_modes must be at least 1, but is {max_modes}.")
    if len(data) < 2:
        raise ValueError(f"A prior is fitted to at least 2 images, but got {len(data)}.")
    check_data(data)
    operator = process.operator(1.0)

    def corrupted() -> Iterator[Tensor]:
        return (operator(chunk.cpu().double()) for chunk in data.split(_CHUNK))

    mean = _total(chunk.sum(dim=0) for chunk in corrupted()) / len(data)

    def chunks() -> Iterator[Tensor]:
        return ((chunk - mean).flatten(1) for chunk in corrupted())

    count, n = len(data), mean.numel()
    total = _total(chunk.square().sum() for chunk in chunks()) / (count - 1)
    variances, directions = _principal_components(chunks, count, n, max_modes)
    rounding = n * torch.finfo(torch.float64).eps * variances.max()
    sigma = process.sigma(1.0).to(variances)
    kept = int((variances > torch.maximum(tolerance * sigma**2, rounding)).sum())
    # Centred images span one direction fewer than there are images.
    if kept >= count - 1 and count - 1 < n:
        raise ValueError(
            f"All {kept} modes that {count} images can show outlive the noise, so there may be "
            "more; give more images, or lower max_modes."
        )
    modes = variances[:kept].sqrt()[:, None] * directions[:, :kept].T
    return Modes(
        mean=mean,
        modes=modes.reshape(kept, *mean.shape),
        explained=min(float(variances[:kept].sum() / total), 1.0) if total > 0 else 1.0,
        chunks=chunks,
    )


def _principal_components(chunks: Chunks, count: int, n: int, most: int) -> tuple[Tensor, Tensor]:
    """The largest variances, descending, and their directions as columns (n, K), K <= `most`."""
    if n <= min(count, _LARGEST_EXACT):
        return _largest_eigenvectors(_covariance(chunks) / (count - 1), most)
    if count <= _LARGEST_EXACT:
        x = torch.cat(list(chunks()))
        variances, weights = _largest_eigenvectors(x @ x.T / (count - 1), most)
        return variances, torch.nn.functional.normalize(x.T @ weights, dim=0)
    width = min(most + _SPARE_DIRECTIONS, n)
    # Images are a better start than random directions, and the same one every time.
    start = torch.cat(list(islice(chunks(), -(-width // _CHUNK))))[:width]
    basis = torch.linalg.qr(start.T).Q
    for _ in range(_PASSES):
        moved = _total(chunk.T @ (chunk @ basis) for chunk in chunks())
        basis = torch.linalg.qr(moved).Q
    projected = _covariance(lambda: (chunk @ basis for chunk in chunks())) / (count - 1)
    variances, rotation = _largest_eigenvectors(projected, most)
    return variances, basis @ rotation


def _covariance(chunks: Chunks) -> Tensor:
    return _total(chunk.T @ chunk for chunk in chunks())


def _largest_eigenvectors(symmetric: Tensor, most: int) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(symmetric)
    return values.flip(0)[:most], vectors.flip(1)[:, :most]


def _total(terms: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, terms)


def at_least_one(found: Modes) -> int:
    """The number of modes, if there is one that a mixture can be fitted to."""
    if len(found.modes) == 0:
        raise ValueError(
            "No mode of the data outlives the noise, so there is nothing to fit a mixture to; "
            "use GaussianPrior."
        )
    return len(found.modes)


def check_modes(mean: Tensor, modes: Tensor) -> None:
    """Raises unless the modes are images in the shape of the mean."""
    if modes.ndim != mean.ndim + 1 or modes.shape[1:] != mean.shape:
        raise ValueError(
            f"The modes must have the mean's shape {tuple(mean.shape)} behind the first axis, but "
            f"have {tuple(modes.shape)}."
        )


def summary(modes: Tensor, explained: float | None) -> str:
    """How many modes there are, and what they explain."""
    share = "" if explained is None else f", {explained:.2%} of the variance"
    return f"{len(modes)} modes{share}"
