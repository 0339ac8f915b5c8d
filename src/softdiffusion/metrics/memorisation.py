"""Are samples copies of training images?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import shown
from .eight_bit import check_images, eight_bit
from .extractors import FeatureExtractor

__all__ = ["Memorisation", "NearestNeighbours", "memorisation"]

#: Distances that are in memory at once.
_CHUNK = 4_000_000

#: The share of test images that lie no farther from the training set than the threshold.
_QUANTILE = 0.01


@checked
class NearestNeighbours:
    """Finds, for every vector, the nearest one (Euclidean) of a bank.

    Arguments:
        bank: Vectors of any shape (M, ...), M >= 1; they are flattened.

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
        flat = bank.flatten(1).float()
        self._centre = flat.mean(dim=0)
        self._vectors = flat - self._centre
        self._squares = self._vectors.square().sum(dim=1)

    @checked
    def __call__(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Returns distances (N,), float32, and indices into the bank (N,) of queries (N, ...)."""
        length = self.bank[0].numel()
        if queries.ndim < 2 or queries.is_complex() or queries[:1].flatten(1).shape[1] != length:
            raise ValueError(
                f"Queries must be vectors of {length} numbers, as those of the bank are, but are "
                f"{shown(queries)}."
            )
        distances, indices = [], []
        rows = max(1, _CHUNK // len(self._vectors))
        for part in (queries.flatten(1).float() - self._centre).split(rows):
            # |q - b|^2 without |q|^2, which does not change which b is nearest.
            index = torch.addmm(self._squares, part, self._vectors.T, alpha=-2).argmin(dim=1)
            # The expanded square loses digits where vectors agree, so copies are measured anew.
            distances.append((part - self._vectors[index]).norm(dim=1))
            indices.append(index)
        return torch.cat(distances), torch.cat(indices)


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
