"""Inception features from a local file."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from ..eight_bit import levels
from .extractor import FeatureExtractor, file_sha256
from .rgb import check_rgb, to_rgb

__all__ = ["InceptionFile"]


class InceptionFile(FeatureExtractor):
    """The features of a local TorchScript file, such as NVlabs' `inception-2015-12-05.pt`.

    The module is called as `module(images, return_features=True)` on uint8 RGB images
    (N, 3, H, W) and returns features (N, F); resizing (to 299 x 299) and normalisation are its
    own. Grey is repeated to RGB. Plain state dictionaries of Inception are not read.

    A TorchScript file can run code: open only files that you trust.

    Arguments:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a TorchScript module.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = path
        self.name = f"inception:{Path(path).name}"
        self.sha256 = file_sha256(Path(path))
        try:
            with warnings.catch_warnings():
                # These files exist as TorchScript only, so its deprecation can't be acted upon.
                warnings.simplefilter("ignore", DeprecationWarning)
                self.network = torch.jit.load(path, map_location="cpu")
        except RuntimeError:
            raise ValueError(
                f"The file {path} is not a TorchScript module; use one like NVlabs' "
                "inception-2015-12-05.pt."
            ) from None
        self.requires_grad_(False).train()
        self.num_features = self.features(torch.zeros(1, 3, 64, 64)).shape[1]

    def check_shape(self, shape: tuple[int, int, int]) -> None:
        check_rgb(self.name, shape)

    def features(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(levels(to_rgb(images)), return_features=True)
        return features
