"""Sets of feature vectors: their checks, and how they are handed to torchmetrics."""

from torch import Tensor, nn

from ..checks import check_finite

__all__ = ["PassThrough", "check_features"]


def check_features(
    name: str, features: Tensor, at_least: int = 2, like: Tensor | None = None
) -> Tensor:
    """Returns features (N, F) on the CPU in float64 if there are enough of them and all are finite.

    Arguments:
        name: What they are called in the message, in the plural.
        features: The features.
        at_least: How many are needed.
        like: Others that they are compared with, of the same length F.

    Raises:
        ValueError: If not.
    """
    if features.is_complex():
        raise ValueError(f"{name} must be real numbers, but have the type {features.dtype}.")
    if features.ndim != 2:
        raise ValueError(
            f"{name} must be feature vectors, shape (N, F), but have shape {tuple(features.shape)}."
        )
    if len(features) < at_least:
        raise ValueError(
            f"{name} must be at least {at_least} for this metric, but there are {len(features)}; "
            "give more images."
        )
    if like is not None and features.shape[1] != like.shape[1]:
        raise ValueError(
            f"{name} must have the length {like.shape[1]} of those of the reference, but have "
            f"{features.shape[1]}; take both from one extractor."
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
