"""Evaluation of samples against a training set, with real test images as floor."""

import importlib.metadata
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..files import finite
from .cache import cached_features
from .eight_bit import check_images
from .extractors import FeatureExtractor
from .frechet import FrechetDistance
from .jackknife import jackknife
from .kernel import KernelDistance
from .memorisation import Memorisation, NearestNeighbours
from .precision_recall import PrecisionRecall
from .rounded import Rounded, as_rounded
from .value import Value

__all__ = ["Evaluator", "Report", "evaluate"]

#: A distance to the nearest training image does not depend on N, so its floor may use more images.
_MEMORISATION_TEST_IMAGES = 2_000

_ROUNDING = "images in [-1, 1] rounded to 256 levels before every metric"

_MEANING = {
    "frechet": "Fréchet distance of features (FID on this extractor); lower is better",
    "kernel": "kernel distance of features (KID on this extractor); lower is better, 0 is ideal",
    "precision": "share of samples among real images; higher is better",
    "recall": "share of training images among samples; higher is better",
    "nearest": "median distance to the nearest training image over that of test images; about 1, "
    "far below where images are copied",
    "copied": "share of samples as near to a training image as the nearest 1 % of test images; "
    "about 0.01, 1 for copies",
}


@dataclass(frozen=True)
class Report:
    """Everything that was measured, with what is needed to judge and to repeat it.

    Attributes:
        values: Every value by its name: `frechet`, `kernel`, `precision`, `recall`,
            `nearest_pixels`, `copied_pixels`, `nearest_features`, `copied_features`. Where there
            are more samples than test images, T of them, the first four also come as `frechet@T`
            and so on, of a random T of the samples: only these have the N of their floor.
        data: The name of the data, or empty.
        shape: The shape (C, H, W) of an image.
        sizes: The number of `images` (samples), `reference` (training) and `test` images.
        digests: The SHA-256 of the same three sets in 8 bits (see `digest`).
        extractor: The extractor's name.
        extractor_sha256: The SHA-256 of its weights.
        settings: k, groups, seed, the kernel distance's subsets, and the rounding, in words.
        versions: Of softdiffusion, torch and torchmetrics.
        memorisation: The distances to the nearest training images, in `pixels` and in `features`,
            for pictures of the closest pairs. It is not part of the JSON.
    """

    values: dict[str, Value]
    data: str
    shape: tuple[int, int, int]
    sizes: dict[str, int]
    digests: dict[str, str]
    extractor: str
    extractor_sha256: str
    settings: dict[str, Any]
    versions: dict[str, str]
    memorisation: dict[str, Memorisation] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """All of it but `memorisation`, as plain types; None stands for NaN and infinity."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del plain["memorisation"]
        plain["values"] = {name: finite(asdict(value)) for name, value in self.values.items()}
        plain["shape"] = list(self.shape)
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Report":
        """The report that `to_dict` wrote, without its `memorisation`; None becomes NaN."""
        values = {name: Value(**_numbers(value)) for name, value in plain["values"].items()}
        channels, height, width = plain["shape"]
        changed = {"values": values, "shape": (channels, height, width), "memorisation": {}}
        return cls(**plain | changed)

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """A table of all values with their floors, and the facts to repeat them."""
        rows = [
            f"| {name} | {v.value:.4g} ± {v.error:.2g} | {v.floor:.4g} ± {v.floor_error:.2g} "
            f"| {v.n} | {v.floor_n} | {v.reference_n} |"
            for name, v in self.values.items()
        ]
        meanings = [f"* {name}: {meaning}." for name, meaning in _MEANING.items()]
        facts = [
            f"Extractor {self.extractor} {self.extractor_sha256[:12]}; "
            f"data {self.data or 'unnamed'} {'x'.join(map(str, self.shape))}, "
            f"digest {self.digests['reference'][:12]}; {_ROUNDING}; "
            + ", ".join(f"{name} {version}" for name, version in self.versions.items())
            + ".",
            "The floor is what real test images reach against the same training images. "
            "± is the standard error by jackknife.",
        ]
        if self.sizes["images"] > self.sizes["test"]:
            facts.append(
                f"There are only {self.sizes['test']} test images, fewer than samples: compare "
                f"with the floor the rows marked @{self.sizes['test']}, of as many samples."
            )
        header = "| metric | value | floor | N | floor N | training images |"
        return "\n".join([header, "|---" * 6 + "|", *rows, "", *facts, "", *meanings]) + "\n"

    def __str__(self) -> str:
        return "\n".join(str(value) for value in self.values.values())


def _numbers(value: dict[str, Any]) -> dict[str, Any]:
    """The fields of a value, with NaN where JSON had no number to write."""
    return {key: math.nan if number is None else number for key, number in value.items()}


class Evaluator:
    """Evaluates any number of sets of samples against one training set.

    Features of training and test images, their statistics and the floors are computed once.

    The floor of every value is measured in the same way on as many test images (all of them where
    there are fewer, which the value says), drawn at random. Precision and recall take as many
    training images as there are samples.

    Arguments:
        reference: Training images (M, C, H, W) in [-1, 1], a tensor or `Rounded`, as which
            they are kept.
        test: Real images that were not trained on, (T, C, H, W).
        extractor: Gives the features.
        k: The neighbour that precision and recall use.
        groups: Of the jackknife that gives the errors.
        seed: Fixes which test and training images are drawn, and the jackknife's groups.
        data: The data's name, for the report.

    Raises:
        ValueError: If images are not finite, not in [-1, 1], of different shapes, of a shape that
            the extractor does not take, or fewer than 2 (k + 1).
    """

    def __init__(
        self,
        reference: Tensor | Rounded,
        test: Tensor | Rounded,
        extractor: FeatureExtractor,
        *,
        k: int = 3,
        groups: int = 10,
        seed: int = 0,
        data: str = "",
    ) -> None:
        self.k = k
        self.groups = groups
        self.seed = seed
        self.data = data
        self.extractor = extractor
        FrechetDistance(torch.zeros(2, 2))  # a missing package is found before hours of features
        self.reference = self._checked("Training images", reference, reference.shape)
        self.test = self._checked("Test images", test, reference.shape)
        # In double precision, which the distances need and so share.
        self._reference_features = cached_features(self.reference, extractor).double()
        self._test_features = cached_features(self.test, extractor)
        self._frechet = FrechetDistance(self._reference_features)
        self._kernel = KernelDistance(self._reference_features, seed=seed)
        self._neighbours = {
            "pixels": NearestNeighbours(self.reference.levels),
            "features": NearestNeighbours(self._reference_features),
        }
        chosen = self._shuffled(len(self.test))[:_MEMORISATION_TEST_IMAGES]
        self._test_distances = {
            "pixels": self._nearest("pixels", self.test[chosen].levels)[0],
            "features": self._nearest("features", self._test_features[chosen])[0],
        }
        self._floors: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def __call__(self, images: Tensor | Rounded, features: Tensor | None = None) -> Report:
        """Evaluates samples.

        Arguments:
            images: Samples (N, C, H, W) in [-1, 1], as a tensor on any device or rounded already.
            features: Those of the images by the same extractor, (N, F), if they are known already.

        Raises:
            ValueError: As the class, about the samples.
        """
        images = self._checked("Images", images, self.reference.shape)
        features = self.extractor.extract(images) if features is None else features
        values = self._compare(features)
        if len(images) > len(self.test):
            equal = features[self._shuffled(len(features))[: len(self.test)]]
            values |= {
                f"{name}@{len(equal)}": value for name, value in self._compare(equal).items()
            }
        memorisation = {}
        for space, queries in {"pixels": images.levels, "features": features}.items():
            found = self._nearest(space, queries)
            memorisation[space] = Memorisation(*found, self._test_distances[space])
            values |= self._nearness(space, memorisation[space])
        sets = {"images": images, "reference": self.reference, "test": self.test}
        return Report(
            values=values,
            data=self.data,
            shape=tuple(images.shape[1:]),  # type: ignore[arg-type]
            sizes={name: len(batch) for name, batch in sets.items()},
            digests={name: batch.digest() for name, batch in sets.items()},
            extractor=self.extractor.name,
            extractor_sha256=self.extractor.sha256,
            settings={
                "k": self.k,
                "groups": self.groups,
                "seed": self.seed,
                "kernel_subsets": self._kernel.subsets,
                "kernel_subset_size": self._kernel.subset_size,
                "rounding": _ROUNDING,
            },
            versions={
                "softdiffusion": __version__,
                "torch": torch.__version__,
                "torchmetrics": importlib.metadata.version("torchmetrics"),
            },
            memorisation=memorisation,
        )

    def _checked(self, name: str, images: Tensor | Rounded, shape: torch.Size) -> Rounded:
        if isinstance(images, Tensor):
            check_images(name, images)
        if images.shape[1:] != shape[1:]:
            raise ValueError(
                f"{name} have shape {tuple(images.shape[1:])}, but training images have "
                f"{tuple(shape[1:])}; resize one of them."
            )
        self.check_count(name, len(images), self.k)
        channels, height, width = images.shape[1:]
        self.extractor.check_shape((channels, height, width))
        return as_rounded(images)

    def _nearest(self, space: str, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distances to the nearest training images, and which those are; of pixels in [-1, 1]."""
        distances, indices = self._neighbours[space](queries)
        return (distances / 127.5 if space == "pixels" else distances), indices

    @staticmethod
    def check_count(name: str, count: int, k: int = 3) -> None:
        """Checks that images are enough for what is measured.

        Arguments:
            name: What they are called.
            count: How many there are.
            k: As in the class.

        Raises:
            ValueError: If they are not.
        """
        if count < 2 * (k + 1):
            raise ValueError(
                f"{name} must be at least {2 * (k + 1)} (with k = {k}), but there are {count}; "
                "values of a thousand and more are worth comparing."
            )

    def _shuffled(self, count: int) -> Tensor:
        return torch.randperm(count, generator=torch.Generator().manual_seed(self.seed))

    def _compare(self, features: Tensor) -> dict[str, Value]:
        """Compares the distribution of samples' features (N, F) with the training images'."""
        n, floor_n = len(features), min(len(features), len(self.test))
        balls = self._shuffled(len(self.reference))[:n]
        precision_recall = PrecisionRecall(self._reference_features[balls], self.k)

        def statistics(features: Tensor) -> Tensor:
            return torch.stack(
                [self._frechet(features), self._kernel(features), *precision_recall(features)]
            )

        if (floor_n, n) not in self._floors:
            chosen = self._shuffled(len(self.test))[:floor_n]
            self._floors[floor_n, n] = self._estimate(statistics, self._test_features[chosen])
        pairs = zip(*self._estimate(statistics, features), *self._floors[floor_n, n], strict=True)
        names = ("frechet", "kernel", "precision", "recall")
        against = (len(self.reference), len(self.reference), len(balls), len(balls))
        return {
            name: Value(
                name,
                value.item(),
                error.item(),
                floor.item(),
                floor_error.item(),
                n=n,
                floor_n=floor_n,
                reference_n=reference_n,
                extractor=self.extractor.name,
                hash=self.extractor.hash,
            )
            for name, reference_n, (value, error, floor, floor_error) in zip(
                names, against, pairs, strict=True
            )
        }

    def _nearness(self, space: str, memorisation: Memorisation) -> dict[str, Value]:
        """Compares samples' distances to the nearest training images with test images'."""
        test_distances = memorisation.test_distances
        pairs = zip(
            *self._estimate(memorisation.ratio_and_share, memorisation.distances),
            *self._estimate(memorisation.ratio_and_share, test_distances),
            strict=True,
        )
        in_features = space == "features"
        return {
            f"{name}_{space}": Value(
                f"{name}_{space}",
                value.item(),
                error.item(),
                floor.item(),
                floor_error.item(),
                n=len(memorisation.distances),
                floor_n=len(test_distances),
                reference_n=len(self.reference),
                extractor=self.extractor.name if in_features else "8-bit pixels",
                hash=self.extractor.hash if in_features else "",
            )
            for name, (value, error, floor, floor_error) in zip(
                ("nearest", "copied"), pairs, strict=True
            )
        }

    def _estimate(
        self, statistics: Callable[[Tensor], Tensor], samples: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Values and standard errors of statistics of samples."""
        return statistics(samples), jackknife(statistics, samples, self.groups, self.seed)


def evaluate(
    images: Tensor,
    reference: Tensor,
    test: Tensor,
    extractor: FeatureExtractor,
    *,
    k: int = 3,
    groups: int = 10,
    seed: int = 0,
    data: str = "",
) -> Report:
    """Evaluates one set of samples; for several sets use one `Evaluator`.

    Arguments:
        images: Samples (N, C, H, W) in [-1, 1].
        reference: Training images (M, C, H, W).
        test: Real images that were not trained on, (T, C, H, W).
        extractor: Gives the features.
        k: As in `Evaluator`, like the rest.

    Raises:
        ValueError: As `Evaluator`.
    """
    evaluator = Evaluator(reference, test, extractor, k=k, groups=groups, seed=seed, data=data)
    return evaluator(images)
