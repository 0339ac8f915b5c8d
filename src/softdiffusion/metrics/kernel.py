"""Kernel distance."""

import warnings

import torch
from torch import Tensor

from ..arguments import checked
from .features import PassThrough, check_features

__all__ = ["KernelDistance"]


@checked
class KernelDistance:
    """Squared maximum mean discrepancy with the cubic kernel k(a, b) = (a.b / F + 1)^3 (KID).

    The mean, over random subsets, of the unbiased estimate

        mean_{i != j} k(x_i, x_j) + mean_{i != j} k(r_i, r_j) - 2 mean_{i, j} k(x_i, r_j)

    by torchmetrics in float64. Being unbiased, it is near 0 (and may be negative) for two sets of
    one distribution, whatever their sizes and the size of the subsets; smaller subsets than the
    usual 1,000 take a fraction of the time.

    Arguments:
        reference: Features (M, F) of the training images, M >= 2.
        subsets: The number of random subsets.
        subset_size: The number of features in a subset; fewer where a set is smaller.
        seed: Fixes the subsets; torch's global state is left as it was.

    Raises:
        ValueError: If there are too few features, or some are not finite.
        ImportError: If torchmetrics is not installed.

    Source: Binkowski et al., Demystifying MMD GANs, arXiv 1801.01401.
    """

    def __init__(
        self, reference: Tensor, subsets: int = 100, subset_size: int = 250, seed: int = 0
    ) -> None:
        try:
            from torchmetrics.image.kid import KernelInceptionDistance
        except ImportError:
            raise ImportError(
                "The kernel distance needs torchmetrics: pip install 'softdiffusion[metrics]'."
            ) from None
        self.reference = check_features("Reference features", reference)
        self.subsets = subsets
        self.subset_size = subset_size
        self.seed = seed
        with warnings.catch_warnings():
            # It warns that it keeps all features, which are in memory here anyway.
            warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance`", UserWarning)
            self._metric = KernelInceptionDistance(
                PassThrough(self.reference.shape[1]),
                subsets=subsets,
                reset_real_features=False,
                sync_on_compute=False,  # the features are all here, not in other processes
            )
        self._metric.update(self.reference, real=True)

    @checked
    def __call__(self, features: Tensor) -> Tensor:
        """The distance of features (N, F), N >= 2, from the reference: a float64 number.

        Raises:
            ValueError: If there are too few features, or some are not finite.
        """
        features = check_features("Features", features, like=self.reference)
        self._metric.update(features, real=False)
        self._metric.subset_size = min(self.subset_size, len(features), len(self.reference))
        with torch.random.fork_rng(devices=[]):  # torchmetrics draws from the global state
            torch.default_generator.manual_seed(self.seed)
            mean: Tensor = self._metric.compute()[0]
        self._metric.reset()
        return mean
