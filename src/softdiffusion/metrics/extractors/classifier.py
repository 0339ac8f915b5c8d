"""Small classifiers, one for each data set and size, and their features."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..eight_bit import eight_bit
from ..rounded import Rounded, floats
from .extractor import FeatureExtractor, check_file

__all__ = ["ClassifierExtractor", "SmallClassifier"]


class SmallClassifier(nn.Module):
    """Four 3x3 convolutions (the second and third with stride 2), a 2x2 average pool, two layers.

    The pool keeps the rough layout, so that features also tell a picture whose halves do not
    belong together from a real one.

    Arguments:
        channels: C of the images.
        classes: The number of classes.
        width: Channels of the first convolution; the last two have four times as many.
        num_features: F, the length of the vector before the last layer.
    """

    def __init__(
        self, channels: int = 1, classes: int = 10, width: int = 16, num_features: int = 64
    ) -> None:
        super().__init__()
        self.channels = channels
        self.classes = classes
        self.width = width
        self.num_features = num_features
        self.body = nn.Sequential(
            _convolution(channels, width, stride=1),
            _convolution(width, 2 * width, stride=2),
            _convolution(2 * width, 4 * width, stride=2),
            _convolution(4 * width, 4 * width, stride=1),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * width, num_features),
            nn.SiLU(),
        )
        self.head = nn.Linear(num_features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """The logits (N, classes) of images (N, C, H, W) in [-1, 1]."""
        logits: Tensor = self.head(self.body(images))
        return logits


class ClassifierExtractor(FeatureExtractor):
    """The features before the last layer of a `SmallClassifier`, from a safetensors file.

    Arguments:
        path: A file written by `scripts/train_extractor.py`.

    Attributes:
        metadata: What the file says about itself: data, size, accuracy on the test split, epochs,
            seed, command, versions and the network's arguments, all as text.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or was not written by that script.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = path
        check_file(Path(path))
        try:
            with safe_open(path, framework="pt") as file:
                self.metadata: dict[str, str] = file.metadata() or {}
                weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            self.name = f"{self.metadata['data']}-{self.metadata['size']}"
            self.size = int(self.metadata["size"])
            arguments = ("channels", "classes", "width", "num_features")
            self.network = SmallClassifier(**{key: int(self.metadata[key]) for key in arguments})
            self.network.load_state_dict(weights)
        except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"The file {path} does not hold a small classifier ({error}); train one with "
                "scripts/train_extractor.py."
            ) from None
        # Of the tensors alone: what the file says about them does not change a feature.
        self.sha256 = hashlib.sha256(save(weights)).hexdigest()
        self.num_features = self.network.num_features
        self.requires_grad_(False).train()

    def check_shape(self, shape: tuple[int, int, int]) -> None:
        fits = (self.network.channels, self.size, self.size)
        if tuple(shape) != fits:
            raise ValueError(
                f"The extractor {self.name} takes images of shape {fits}, but got {tuple(shape)}; "
                "use the extractor of this size, or train one with scripts/train_extractor.py."
            )

    def features(self, images: Tensor) -> Tensor:
        features: Tensor = self.network.body(images)
        return features

    @torch.no_grad()
    def classify(self, images: Tensor | Rounded) -> Tensor:
        """The class (N,) of every image (N, C, H, W) in [-1, 1], on the CPU."""
        device = self.network.head.weight.device
        logits = (self.network(eight_bit(floats(b).to(device))) for b in images.split(250))
        return torch.cat([rows.argmax(dim=1).cpu() for rows in logits])

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """The share of images (N, C, H, W) in [-1, 1] whose class (N,) is recognised, in [0, 1]."""
        return (self.classify(images) == labels.cpu()).double().mean().item()


def _convolution(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.SiLU(),
    )
