"""What the samples of a study are measured by."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..data import Images
from ..metrics import FrechetDistance, KernelDistance, cached_features, default_extractor, jackknife

__all__ = ["Yardstick"]


class Yardstick:
    """Distances to the training images, with as many real test images as floor.

    Arguments:
        train: The training images.
        test: The test images.
        count: The number of samples, and of the test images that are the floor.
        device: Where the features are computed.
    """

    def __init__(
        self, train: Images, test: Images, count: int, device: torch.device | str = "cpu"
    ) -> None:
        self.extractor = default_extractor(train.name, train.shape).to(device)
        reference = cached_features(train.tensor(), self.extractor)
        self.distances: dict[str, Callable[[Tensor], Tensor]] = {
            "frechet": FrechetDistance(reference),
            "kernel": KernelDistance(reference, seed=0),
        }
        order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
        real = self.extractor.extract(test.batch(order[:count]))
        self.floor = {
            "floor": float(self.distances["frechet"](real)),
            "floor_error": float(jackknife(self.distances["frechet"], real)),
            "floor_n": len(real),
        }

    @staticmethod
    def check(train: Images) -> None:
        """Raises what measuring would: that no extractor fits, or a package is missing.

        Arguments:
            train: The training images.

        Raises:
            ValueError: If no extractor fits the images.
            ImportError: If an optional package is missing.
        """
        default_extractor(train.name, train.shape)
        for distance in (FrechetDistance, KernelDistance):
            distance(torch.zeros(2, 2))

    def __call__(self, images: Tensor) -> dict[str, Any]:
        """The part of a row that says how far images, (N, C, H, W) in [-1, 1], are."""
        features = self.extractor.extract(images)
        found: dict[str, Any] = {"n": len(images)}
        for name, distance in self.distances.items():
            found[name] = float(distance(features))
            found[f"{name}_error"] = float(jackknife(distance, features))
        return found | self.floor | {"extractor": self.extractor.hash}
