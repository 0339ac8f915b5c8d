"""The modes of the data that outlive the noise."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from ..checks import check_range, check_real, shown
from ..chunks import Chunks
from ..process import SoftDiffusion
from .coordinates import coordinates_of

__all__ = ["Modes", "at_least_one", "check_modes", "summary", "surviving_modes"]

#: Up to so many coordinates, the eigenvectors are exact,
_LARGEST_EXACT = 4096

#: and with fewer images than coordinates, up to so many numbers in all of them: 270 MB.
_MOST_NUMBERS = 2**25

#: Passes of the subspace iteration, and the directions it carries beyond those asked for.
_PASSES = 4
_SPARE_DIRECTIONS = 16

#: Goes through the images once more: their coordinates, (B, K), a part at a time.
Passes = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Modes:
    """The modes that outlive the noise, and the data along them."""

    mean: Tensor
    modes: Tensor
    explained: float
    #: The modes as columns in coordinates, and the coordinates of the corrupted, centred data.
    columns: Tensor
    centred: Passes

    def coefficients(self) -> Tensor:
        """The z of all images, (N, K)."""
        columns = self.columns / self.columns.square().sum(dim=0)
        return torch.cat([chunk @ columns for chunk in self.centred()])


def surviving_modes(
    process: SoftDiffusion,
    chunks: Chunks,
    tolerance: float,
    max_modes: int,
    progress: bool,
) -> Modes:
    """Finds the modes that outlive the noise, as `GaussianPrior.fit` describes them.

    Raises:
        ValueError: As there.
    """
    count = len(chunks)
    if not tolerance > 0:
        raise ValueError(f"The tolerance must be > 0, but is {tolerance:g}.")
    if max_modes < 1:
        raise ValueError(f"max_modes must be at least 1, but is {max_modes}.")
    if count < 2:
        raise ValueError(f"A prior is fitted to at least 2 images, but got {count}.")
    coordinates = coordinates_of(process.operator(1.0), chunks.shape)

    def corrupted() -> Iterator[Tensor]:
        return map(coordinates.of_corrupted, chunks.read("fitting the start", progress))

    found = _components(corrupted, count, coordinates.size, max_modes)
    mean, variances = found.mean, found.variances
    n = chunks.shape.numel()
    rounding = n * torch.finfo(torch.float64).eps * variances[:1]  # the largest, if there is one
    sigma = process.sigma(1.0).to(variances)
    kept = int((variances > torch.maximum(tolerance * sigma**2, rounding)).sum())
    # Centred images span one direction fewer than there are images.
    if kept >= count - 1 and count - 1 < coordinates.size:
        raise ValueError(
            f"All {kept} modes that {count} images can show outlive the noise, so there may be "
            "more; give more images, or lower max_modes."
        )
    columns = found.directions[:, :kept] * variances[:kept].sqrt()
    return Modes(
        mean=coordinates.images(mean[None])[0],
        modes=coordinates.images(columns.T),
        explained=min(float(variances[:kept].sum() / found.total), 1.0) if found.total > 0 else 1.0,
        columns=columns,
        centred=lambda: (z - mean for z in corrupted()),
    )


@dataclass(frozen=True)
class _Components:
    """Mean, total variance, and the largest variances, descending, with their directions (n, K)."""

    mean: Tensor
    total: Tensor
    variances: Tensor
    directions: Tensor


def _components(points: Passes, count: int, n: int, most: int) -> _Components:
    """The principal components, `most` at most, of `count` points with n coordinates each."""
    if n <= min(count, _LARGEST_EXACT):
        mean, covariance = _moments(points(), n)
        return _Components(mean, covariance.trace(), *_largest_eigenvectors(covariance, most))
    mean = _total(z.sum(dim=0) for z in points()) / count

    def centred() -> Iterator[Tensor]:
        return (z - mean for z in points())

    if count <= _LARGEST_EXACT and count * n <= _MOST_NUMBERS:
        x = torch.cat(list(centred()))
        products = x @ x.T / (count - 1)
        variances, weights = _largest_eigenvectors(products, most)
        directions = torch.nn.functional.normalize(x.T @ weights, dim=0)
        return _Components(mean, products.trace(), variances, directions)
    total = _total(z.square().sum() for z in centred()) / (count - 1)
    return _Components(mean, total, *_by_subspace_iteration(centred, count, n, most))


def _by_subspace_iteration(centred: Passes, count: int, n: int, most: int) -> tuple[Tensor, Tensor]:
    width = min(most + _SPARE_DIRECTIONS, n, count)
    # Images are a better start than random directions, and the same one every time.
    basis, have = torch.empty(width, n, dtype=torch.float64), 0
    for z in centred():
        part = z[: width - have]
        basis[have : have + len(part)] = part
        have += len(part)
        if have == width:
            break
    basis = torch.linalg.qr(basis.T).Q
    for _ in range(_PASSES):
        # These only turn the basis, for which single precision will do.
        moved = torch.zeros_like(basis, dtype=torch.float32)
        single = basis.float()
        for z in map(Tensor.float, centred()):
            moved.addmm_(z.T, z @ single)
        basis = torch.linalg.qr(moved.double()).Q
    projected = torch.zeros(width, width, dtype=torch.float64)
    for z in centred():
        along = z @ basis
        projected.addmm_(along.T, along)
    variances, rotation = _largest_eigenvectors(projected / (count - 1), most)
    return variances, basis @ rotation


def _moments(points: Iterable[Tensor], n: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance by one pass. Source: Chan et al. 1979, whose update is a stable one."""
    count, mean = 0, torch.zeros(n, dtype=torch.float64)
    scatter = torch.zeros(n, n, dtype=torch.float64)
    for z in points:
        own = z.mean(dim=0)
        step, share = own - mean, len(z) / (count + len(z))
        scatter.addmm_((z - own).T, z - own).addr_(step, step, alpha=count * share)
        mean += share * step
        count += len(z)
    return mean, scatter / (count - 1)


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


def check_modes(mean: Tensor, modes: Tensor, explained: float | None) -> None:
    """Raises unless the modes are real images in the shape of the mean, and the share is one."""
    check_real("The mean", mean)
    check_real("The modes", modes)
    if explained is not None:
        check_range("The explained share of the variance", explained, 0.0, 1.0)
    if mean.ndim < 2 or mean.numel() == 0:
        raise ValueError(f"The mean must be an image (C, ...), not {shown(mean)}.")
    if modes.ndim != mean.ndim + 1 or modes.shape[1:] != mean.shape:
        raise ValueError(
            f"The modes must have the mean's shape {tuple(mean.shape)} behind the first axis, but "
            f"have {tuple(modes.shape)}."
        )


def summary(modes: Tensor, explained: float | None) -> str:
    """How many modes there are, and what they explain."""
    share = "" if explained is None else f", {explained:.2%} of the variance"
    return f"{len(modes)} modes{share}"
