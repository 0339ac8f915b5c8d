"""Feature extractors, each with the hash of its weights."""

from .classifier import ClassifierExtractor, SmallClassifier
from .efficientnet import EfficientNetLite0
from .extractor import FeatureExtractor
from .inception import InceptionFile
from .lookup import default_extractor, extractor

__all__ = [
    "ClassifierExtractor",
    "EfficientNetLite0",
    "FeatureExtractor",
    "InceptionFile",
    "SmallClassifier",
    "default_extractor",
    "extractor",
]
