"""Metrics: how good samples are, always next to what real test images reach.

Every value comes with its floor, the number of images and the extractor's hash (`Value`). Images
are rounded to 8 bits first, so arrays and saved PNG files give the same values.
"""

from .by_class import ClassEvaluator
from .cache import cached_features
from .eight_bit import digest, eight_bit
from .extractors import (
    ClassifierExtractor,
    EfficientNetLite0,
    FeatureExtractor,
    InceptionFile,
    SmallClassifier,
    default_extractor,
    extractor,
)
from .frechet import FrechetDistance
from .jackknife import jackknife
from .kernel import KernelDistance
from .memorisation import Memorisation, NearestNeighbours, memorisation
from .perceptual import feature_distance
from .precision_recall import PrecisionRecall
from .quality import psnr, ssim
from .report import Evaluator, Report, evaluate
from .rounded import Rounded
from .value import Value

__all__ = [
    "ClassEvaluator",
    "ClassifierExtractor",
    "EfficientNetLite0",
    "Evaluator",
    "FeatureExtractor",
    "FrechetDistance",
    "InceptionFile",
    "KernelDistance",
    "Memorisation",
    "NearestNeighbours",
    "PrecisionRecall",
    "Report",
    "Rounded",
    "SmallClassifier",
    "Value",
    "cached_features",
    "default_extractor",
    "digest",
    "eight_bit",
    "evaluate",
    "extractor",
    "feature_distance",
    "jackknife",
    "memorisation",
    "psnr",
    "ssim",
]
