"""Precision and recall."""

import torch
from torch import Tensor

from ..arguments import checked
from .features import check_features

__all__ = ["PrecisionRecall"]

#: Rows of a distance matrix that are in memory at once.
_ROWS = 1000


@checked
class PrecisionRecall:
    """Improved precision and recall.

    The manifold of a set is the union of balls around its features, each reaching to the k-th
    nearest other one of the set. Precision is the share of samples inside the manifold of the
    reference (are the images real?); recall is the share of the reference inside the manifold of
    the samples (are all kinds of images there?). Both depend on the sizes of the two sets: give
    as many reference features as samples.

    Arguments:
        reference: Features (M, F) of real images, M > k.
        k: Which neighbour a ball reaches to, >= 1.

    Raises:
        ValueError: If there are too few features, or some are not finite.

    Source: Kynkäänniemi et al., Improved precision and recall metric for assessing generative
    models, arXiv 1904.06991.
    """

    def __init__(self, reference: Tensor, k: int = 3) -> None:
        if k < 1:
            raise ValueError(f"k counts neighbours and must be >= 1, but is {k}.")
        self.reference = check_features("Reference features", reference, at_least=k + 1)
        self.k = k
        self._radii = _radii(self.reference, k)

    @checked
    def __call__(self, features: Tensor) -> Tensor:
        """Precision and recall, a float64 tensor of two shares in [0, 1].

        Arguments:
            features: Features (N, F) of the samples, N > k.

        Raises:
            ValueError: If there are too few features, or some are not finite.
        """
        features = check_features("Features", features, at_least=self.k + 1, like=self.reference)
        radii = _radii(features, self.k)
        precise = torch.zeros(len(features), dtype=torch.bool)
        recalled = torch.zeros(len(self.reference), dtype=torch.bool)
        for rows in torch.arange(len(features)).split(_ROWS):
            distances = torch.cdist(features[rows], self.reference)
            precise[rows] = (distances <= self._radii).any(dim=1)
            recalled |= (distances <= radii[rows, None]).any(dim=0)
        return torch.stack([precise.double().mean(), recalled.double().mean()])


def _radii(features: Tensor, k: int) -> Tensor:
    """The distance (N,) of every feature to its k-th nearest other one."""
    # The nearest one of all is the feature itself.
    rows = [torch.cdist(part, features).kthvalue(k + 1).values for part in features.split(_ROWS)]
    return torch.cat(rows)
