"""Grey images for networks that take RGB."""

from torch import Tensor

__all__ = ["check_rgb", "to_rgb"]


def check_rgb(name: str, shape: tuple[int, int, int]) -> None:
    """Checks that images of shape (C, H, W) are grey or RGB.

    Raises:
        ValueError: If they have another number of channels.
    """
    if shape[0] not in (1, 3):
        raise ValueError(
            f"The extractor {name} takes images with 1 or 3 channels, but got shape {tuple(shape)}."
        )


def to_rgb(images: Tensor) -> Tensor:
    """Repeats grey images (N, 1, H, W) to (N, 3, H, W); RGB stays as it is."""
    return images.expand(-1, 3, -1, -1)
