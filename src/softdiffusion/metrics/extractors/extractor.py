"""What every feature extractor has in common."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn

from ..eight_bit import check_images, eight_bit
from ..rounded import Rounded, floats

__all__ = ["FeatureExtractor", "check_file", "file_sha256"]

#: From this many images on, a progress bar is shown while features are extracted.
_MANY = 1_000


class FeatureExtractor(nn.Module, ABC):
    """A frozen map from images to feature vectors, with the hash of its weights.

    It can be handed as `feature` to torchmetrics' Fréchet and kernel distances, which then take
    images in [-1, 1]. It stays in evaluation mode and records no gradients.

    Attributes:
        name: What it is called in reports.
        num_features: F, the length of a feature vector.
        sha256: The SHA-256 of its weights, in hexadecimal: of the tensors where they are kept as
            safetensors, of the whole file otherwise.
    """

    name: str
    num_features: int
    sha256: str

    @property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of `sha256`, which reports print."""
        return self.sha256[:12]

    @abstractmethod
    def check_shape(self, shape: tuple[int, int, int]) -> None:
        """Checks that images of shape (C, H, W) fit.

        Raises:
            ValueError: If they do not; the message says what would.
        """

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """The features (N, F) of images (N, C, H, W) in [-1, 1] that fit; unrounded, unchecked."""

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Rounds images to 8-bit levels and returns their features.

        Arguments:
            images: (N, C, H, W), float in [-1, 1].

        Returns:
            Features (N, F), float32.

        Raises:
            ValueError: If the images are not finite, not in [-1, 1] or their shape does not fit.
        """
        channels, height, width = check_images("Images", images).shape[1:]
        self.check_shape((channels, height, width))
        return self.features(eight_bit(images)).float()

    def extract(self, images: Tensor | Rounded, batch_size: int = 100) -> Tensor:
        """The features of any number of images, on the CPU, computed batch by batch.

        A GPU computes them in full float32, so that they are those of a processor.

        Arguments:
            images: (N, C, H, W), float in [-1, 1], on any device, or rounded already.
            batch_size: How many images are computed at once, >= 1.

        Returns:
            Features (N, F), float32.

        Raises:
            ValueError: As `forward`.
        """
        from tqdm import tqdm

        # A TorchScript file may have frozen its weights into constants, which stay on the CPU.
        weights = next(self.parameters(), torch.zeros(0))
        batches = tqdm(
            images.split(batch_size),
            desc=f"features of {self.name}",
            unit="batch",
            disable=len(images) < _MANY,
        )
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return torch.cat([self(floats(b).to(weights.device)).cpu() for b in batches])

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Stays in evaluation mode whatever `mode` is: statistics of batches must not leak in."""
        super().train(False)
        return self


def check_file(path: Path) -> None:
    """Checks that a weights file is there.

    Raises:
        FileNotFoundError: If it is not.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no weights file {path}; check the path.")


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    check_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
