"""Evaluation of a conditional model, class by class."""

from collections.abc import Callable

import torch
from torch import Tensor

from .cache import cached_features
from .extractors import ClassifierExtractor, FeatureExtractor
from .frechet import FrechetDistance
from .jackknife import jackknife
from .rounded import Rounded, as_rounded
from .value import Value

__all__ = ["ClassEvaluator"]

#: The fewest samples, test or training images of a class whose distance says anything.
_FEWEST = 8


class ClassEvaluator:
    """Compares the samples of every class with the training images of that class.

    The values of a class are `frechet`, the Fréchet distance, and, if the extractor is a
    classifier, `recognised`, the share of samples that it takes for the class asked for. The floor
    of both is what the test images of the class reach, as many as there are samples or all.

    Arguments:
        train: Training images (M, C, H, W) in [-1, 1], as a tensor or rounded already, and their
            classes, int64, (M,).
        test: Real images that were not trained on, and their classes, likewise.
        extractor: Gives the features.

    Raises:
        ValueError: If labels and images differ in number.
    """

    def __init__(
        self,
        train: tuple[Tensor | Rounded, Tensor],
        test: tuple[Tensor | Rounded, Tensor],
        extractor: FeatureExtractor,
    ) -> None:
        self.extractor = extractor
        self._train = _by_class(*train)
        self._test = _by_class(*test)
        self._distances: dict[int, FrechetDistance] = {}

    def __call__(self, images: Tensor | Rounded, labels: Tensor) -> dict[int, dict[str, Value]]:
        """Evaluates samples.

        Arguments:
            images: Samples, (N, C, H, W) in [-1, 1], as a tensor or rounded already.
            labels: The classes that were asked for, int64, (N,).

        Returns:
            For every class of at least 8 samples, test and training images, the values by name.
        """
        found = {}
        drawn = as_rounded(images)
        for label in labels.unique().tolist():
            samples = drawn[labels == label]
            train, test = self._train.get(label), self._test.get(label)
            if train is None or test is None or min(map(len, (samples, train, test))) < _FEWEST:
                continue
            found[label] = self._evaluate(samples, train, test[: len(samples)], label)
        return found

    def _evaluate(
        self, samples: Rounded, train: Rounded, test: Rounded, label: int
    ) -> dict[str, Value]:
        if label not in self._distances:
            self._distances[label] = FrechetDistance(cached_features(train, self.extractor))
        distance = self._distances[label]
        features = self.extractor.extract(samples), self.extractor.extract(test)
        values = {"frechet": self._value("frechet", distance, features, len(train))}
        if isinstance(self.extractor, ClassifierExtractor):
            hits = self._recognised(samples, label), self._recognised(test, label)
            values["recognised"] = self._value("recognised", torch.mean, hits, len(train))
        return values

    def _recognised(self, images: Rounded, label: int) -> Tensor:
        """1 for every image that the classifier takes for the class, else 0."""
        assert isinstance(self.extractor, ClassifierExtractor)
        classes = self.extractor.classify(images)
        return (classes == label).double()

    def _value(
        self,
        name: str,
        statistic: Callable[[Tensor], Tensor],
        sets: tuple[Tensor, Tensor],
        reference_n: int,
    ) -> Value:
        samples, test = sets
        return Value(
            name,
            float(statistic(samples)),
            float(jackknife(statistic, samples)),
            float(statistic(test)),
            float(jackknife(statistic, test)),
            n=len(samples),
            floor_n=len(test),
            reference_n=reference_n,
            extractor=self.extractor.name,
            hash=self.extractor.hash,
        )


def _by_class(images: Tensor | Rounded, labels: Tensor) -> dict[int, Rounded]:
    if labels.shape != (len(images),):
        raise ValueError(
            f"{len(images)} images need as many labels, but the labels have shape "
            f"{tuple(labels.shape)}."
        )
    rounded = as_rounded(images)
    return {label: rounded[labels == label] for label in labels.unique().tolist()}
