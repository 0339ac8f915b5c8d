"""The images that an evaluation measures, drawn and looked at by all processes."""

from collections.abc import Iterable

from torch import Tensor

from ..metrics import FeatureExtractor, Rounded
from .team import Team

__all__ = ["all_rounded", "all_together"]


def all_rounded(batches: Iterable[Tensor], team: Team) -> list[Rounded]:
    """This process's batches of images, rounded.

    Arguments:
        batches: The images, (B, C, H, W).
        team: The processes that draw.

    Raises:
        ValueError: In every process, if the images of one can't be drawn or measured.
    """
    return team.agreed(lambda: [Rounded.of([images]) for images in batches])


def all_together(
    own: list[Rounded], extractor: FeatureExtractor, team: Team, count: int, size: int
) -> tuple[Rounded, Tensor] | None:
    """In the first process all images and their features, which every one extracts from its own.

    Arguments:
        own: The batches of this process.
        extractor: Gives the features.
        team: The processes that drew.
        count: The number of all images.
        size: Images of a batch.

    Raises:
        ValueError: In every process, if one finds no features.
    """
    extracted = team.agreed(lambda: [extractor.extract(batch) for batch in own])
    features = team.gathered(extracted, count, size)
    levels = team.gathered([batch.levels for batch in own], count, size)
    return None if features is None or levels is None else (Rounded(levels), features)
