"""How far restored images are from the originals to a network."""

from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike
from .extractors import FeatureExtractor
from .quality import check_pairs

__all__ = ["feature_distance"]


@checked
def feature_distance(
    images: ImageLike, originals: ImageLike, extractor: FeatureExtractor
) -> Tensor:
    r"""The distance of the features of 8-bit images, :math:`\lVert f(x) - f(y) \rVert_2`.

    Its scale is that of the extractor's features, so only values of one extractor compare.

    Arguments:
        images: (N, C, H, W) in [-1, 1].
        originals: The same shape and range.
        extractor: Gives the features.

    Returns:
        One value an image, (N,), float32; 0 where the images are equal in 8 bits.

    Raises:
        ValueError: If shapes differ or do not fit the extractor, or images are not finite or not
            in [-1, 1].
    """
    images, originals = check_pairs(images, originals)
    return (extractor.extract(images) - extractor.extract(originals)).norm(dim=1)
