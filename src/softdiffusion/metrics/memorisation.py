"""Are samples copies of training images?"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import shown
from .eight_bit import check_images, eight_bit
from .extractors import FeatureExtractor

__all__ = ["Memorisation", "NearestNeighbours", "memorisation"]

#: Distances, and numbers of vectors, that are in memory at once.
_CHUNK = 4_000_000

#: The share of test images that lie no farther from the training set than the threshold.
_QUANTILE = 0.01


@checked
class NearestNeighbours:
    """Finds, for every vector, the nearest one (Euclidean) of a bank.

    Arguments:
        bank: Vectors of any shape (M, ...), M >= 1, and of any type of numbers, such as 8-bit
            levels; they are flattened, and copied part by part.

    Raises:
        ValueError: If they are none, have no axis beside the first, or are not finite; when called,
            if the queries are of another length.
    """

    def __init__(self, bank: Tensor) -> None:
        if bank.ndim < 2 or bank.numel() == 0 or bank.is_complex():
            raise ValueError(
                "Neighbours are looked for among vectors (M, F), at least one, but got "
                f"{shown(bank)}."
            )
        self.bank = bank
        total = torch.zeros(bank[0].numel(), dtype=torch.float64, device=bank.device)
        for part in self._parts():
            total += part.sum(dim=0)
        self._centre = (total / len(bank)).float()
        squares = [(part - self._centre).square().sum(dim=1) for part in self._parts()]
        self._squares = torch.cat(squares)

    @checked
    def __call__(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Returns distances (N,), float32, and indices into the bank (N,) of queries (N, ...)."""
        length = self.bank[0].numel()
        if queries.ndim < 2 or queries.is_complex() or queries[:1].flatten(1).shape[1] != length:
            raise ValueError(
                f"Queries must be vectors of {length} numbers, as those of the bank are, but are "
                f"{shown(queries)}."
            )
        queries = queries.flatten(1)
        lowest = torch.full((len(queries),), torch.inf, device=queries.device)
        indices = torch.zeros_like(lowest, dtype=torch.int64)
        start = 0
        for part in self._parts():
            vectors, end = part - self._centre, start + len(part)
            for rows in torch.arange(len(queries)).split(max(1, _CHUNK // len(part))):
                # |q - b|^2 without |q|^2, which does not change which b is nearest.
                moved = queries[rows].float() - self._centre
                squares = torch.addmm(self._squares[start:end], moved, vectors.T, alpha=-2)
                low, index = squares.min(dim=1)
                nearer = low < lowest[rows]
                lowest[rows] = torch.where(nearer, low, lowest[rows])
                indices[rows] = torch.where(nearer, start + index, indices[rows])
            start = end
        # The expanded square loses digits where vectors agree, so copies are measured anew.
        distances = [
            (queries[rows].float() - self.bank[indices[rows]].flatten(1).float()).norm(dim=1)
            for rows in torch.arange(len(queries)).split(self._rows)
        ]
        return torch.cat(distances), indices

    @property
    def _rows(self) -> int:
        """So many vectors are converted at once."""
        return max(1, _CHUNK // self.bank[0].numel())

    def _parts(self) -> Iterator[Tensor]:
        """The bank in parts, (m, F), float32, whatever it is kept in."""
        return (part.flatten(1).float() for part in self.bank.split(self._rows))


@dataclass(frozen=True, eq=False)
class Memorisation:
    """How far samples, and held-out test images, are from their nearest training images.

    A sample that copies a training image is far nearer to it than any test image is. Smooth
    images of low contrast are near to everything, so a look at the pairs (`closest`) decides.

    Attributes:
        distances: Distance (N,) of every sample to its nearest training image.
        indices: Which training image that is, (N,).
        test_distances: Distance (T,) of every test image to its nearest training image.
    """

    distances: Tensor
    indices: Tensor
    test_distances: Tensor

    @property
    def threshold(self) -> float:
        """The 1 %-quantile of the test images' distances."""
        return self.test_distances.quantile(_QUANTILE).item()

    @property
    def ratio(self) -> float:
        """Median distance of the samples over that of test images: near 1 without copies."""
        return self.ratio_and_share(self.distances)[0].item()

    @property
    def share(self) -> float:
        """The share of samples within the threshold: about 0.01 without copies, 1 for copies."""
        return self.ratio_and_share(self.distances)[1].item()

    @property
    def floor(self) -> float:
        """The share of test images within the threshold: 0.01, but for rounding and ties."""
        return self.ratio_and_share(self.test_distances)[1].item()

    def ratio_and_share(self, distances: Tensor) -> Tensor:
        """Ratio of medians and share within the threshold of any distances (K,); float64, (2,)."""
        ratio = distances.median() / self.test_distances.median()
        share = (distances <= self.threshold).double().mean()
        return torch.stack([ratio.double(), share])

    def closest(self, count: int) -> tuple[Tensor, Tensor]:
        """The samples nearest to the training set, and their training images, as indices (count,).

        `images[samples]` above `reference[training]` make the picture to look at.
        """
        samples = self.distances.argsort(stable=True)[:count]
        return samples, self.indices[samples]


def memorisation(
    images: Tensor, reference: Tensor, test: Tensor, extractor: FeatureExtractor | None = None
) -> Memorisation:
    """Compares samples with their nearest training images, with test images as floor.

    Arguments:
        images: Samples (N, C, H, W) in [-1, 1].
        reference: Training images (M, C, H, W).
        test: Held-out images (T, C, H, W), of the same distribution as the training images.
        extractor: Measures distances between features; None measures them between 8-bit pixels,
            sqrt(sum (x - y)^2) with x and y in [-1, 1].

    Raises:
        ValueError: If images are not finite, not in [-1, 1] or of different shapes.
    """
    for name, batch in (("Images", images), ("Training images", reference), ("Test images", test)):
        check_images(name, batch)
        if batch.shape[1:] != reference.shape[1:]:
            raise ValueError(
                f"{name} have shape {tuple(batch.shape[1:])}, but training images have "
                f"{tuple(reference.shape[1:])}; resize one of them."
            )
    vectors = eight_bit if extractor is None else extractor.extract
    nearest = NearestNeighbours(vectors(reference))
    distances, indices = nearest(vectors(images))
    return Memorisation(distances, indices, nearest(vectors(test))[0])
