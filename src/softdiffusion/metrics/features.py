"""Sets of feature vectors: their checks, and how they are handed to torchmetrics."""

from torch import Tensor, nn

from ..checks import check_finite

__all__ = ["PassThrough", "check_features"]


def check_features(name: str, features: Tensor, at_least: int = 2) -> Tensor:
    """Returns features (N, F) on the CPU in float64 if there are enough of them and all are finite.

    Raises:
        ValueError: If not.
    """
    if features.ndim != 2:
        raise ValueError(
            f"{name} must be feature vectors, shape (N, F), but have shape {tuple(features.shape)}."
        )
    if len(features) < at_least:
        raise ValueError(
            f"{name} must be at least {at_least} for this metric, but there are {len(features)}; "
            "give more images."
        )
    return check_finite(name, features.cpu().double())


class PassThrough(nn.Module):
    """Takes the place of a feature extractor where features are already at hand.

    Arguments:
        num_features: F, the length of a feature vector; torchmetrics reads this attribute.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features
