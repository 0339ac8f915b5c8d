"""Fréchet distance."""

from torch import Tensor

from ..arguments import checked
from .features import PassThrough, check_features

__all__ = ["FrechetDistance"]


@checked
class FrechetDistance:
    """Squared Fréchet distance between Gaussians fitted to two sets of features (FID).

        d = |mu - mu_r|^2 + tr(S + S_r - 2 (S S_r)^(1/2))

    with means mu and covariances S (divisor N - 1), by torchmetrics in float64. The statistics of
    the reference are computed once. The estimate is biased upwards, about as 1/N, so compare only
    values at the same N.

    Arguments:
        reference: Features (M, F) of the training images, M >= 2.

    Raises:
        ValueError: If there are too few features, or some are not finite.
        ImportError: If torchmetrics is not installed.

    Source: Heusel et al., GANs trained by a two time-scale update rule, arXiv 1706.08500.
    """

    def __init__(self, reference: Tensor) -> None:
        try:
            from torchmetrics.image.fid import FrechetInceptionDistance
        except ImportError:
            raise ImportError(
                "The Fréchet distance needs torchmetrics: pip install 'softdiffusion[metrics]'."
            ) from None
        self.reference = check_features("Reference features", reference)
        extractor = PassThrough(self.reference.shape[1])
        # The features are all here: torchmetrics would wait for those of other processes.
        self._metric = FrechetInceptionDistance(
            extractor, reset_real_features=False, sync_on_compute=False
        )
        self._metric.update(self.reference, real=True)

    @checked
    def __call__(self, features: Tensor) -> Tensor:
        """The distance of features (N, F), N >= 2, from the reference: a float64 number.

        Raises:
            ValueError: If there are too few features, or some are not finite.
        """
        self._metric.update(check_features("Features", features, like=self.reference), real=False)
        distance: Tensor = self._metric.compute()
        self._metric.reset()
        return distance
