"""A start from a mixture of Gaussians."""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import (
    ImageLike,
    ImageSet,
    check_labels,
    check_one_label_each,
    check_real,
    shown,
)
from ..chunks import Chunks
from ..process import SoftDiffusion
from ..random import Generator, generators, randn
from .modes import at_least_one, check_modes, summary, surviving_modes
from .prior import Prior, assemble, choose

__all__ = ["MixturePrior"]


@checked
class MixturePrior(Prior):
    r"""A Gaussian mixture on the modes that outlive the noise.

    .. math:: x_1 = m + \sum_k z_k u_k + \sigma_1 \eta, \qquad
        z \sim \sum_j w_j\, N(\mu_j, \Sigma_j), \quad \eta \sim N(0, I)

    Arguments:
        process: The process; it supplies :math:`\sigma_1`.
        mean: The mean m of the corrupted data, (C, H, W).
        modes: The modes :math:`u_k` (see `GaussianPrior`), (K, C, H, W), K >= 1.
        weights: The weights :math:`w_j`, (J,), >= 0, with sum 1.
        means: The means :math:`\mu_j` of the coefficients, (J, K).
        covariances: Their covariances :math:`\Sigma_j`, positive definite, (J, K, K).
        explained: The share of the corrupted data's variance that the modes hold, in [0, 1], for
            information; None if it is unknown.
        by_class: Whether the j-th Gaussian is that of the j-th class.

    Raises:
        ValueError: If shapes do not fit, the weights are no distribution, or a covariance is not
            positive definite.
    """

    def __init__(
        self,
        process: SoftDiffusion,
        mean: Tensor,
        modes: Tensor,
        weights: Tensor,
        means: Tensor,
        covariances: Tensor,
        explained: float | None = None,
        by_class: bool = False,
    ) -> None:
        check_modes(mean, modes, explained)
        for name, value in (
            ("The weights", weights),
            ("The means", means),
            ("The covariances", covariances),
        ):
            check_real(name, value)
        if weights.ndim != 1:
            raise ValueError(f"The weights must be one a Gaussian, (J,), not {shown(weights)}.")
        j, k = len(weights), len(modes)
        if means.shape != (j, k) or covariances.shape != (j, k, k):
            raise ValueError(
                f"A mixture of {j} Gaussians on {k} modes needs means {(j, k)} and covariances "
                f"{(j, k, k)}, but their shapes are {tuple(means.shape)} and "
                f"{tuple(covariances.shape)}."
            )
        if (weights < 0).any() or abs(float(weights.sum()) - 1) > 1e-5:
            raise ValueError(
                f"The weights must be >= 0 and have the sum 1, but are {weights.tolist()}."
            )
        wide = covariances.to(torch.promote_types(covariances.dtype, torch.float32))
        factors, failures = torch.linalg.cholesky_ex(wide)
        if failures.any():
            raise ValueError(
                f"The covariances must be positive definite, but {int((failures > 0).sum())} of "
                f"{j} are not."
            )
        self.process = process
        self.mean = mean
        self.modes = modes
        self.weights = weights
        self.means = means
        self.covariances = covariances
        self.explained = explained
        self.by_class = by_class
        self._factors = factors

    @classmethod
    @checked
    def fit(
        cls,
        process: SoftDiffusion,
        data: ImageSet | ImageLike,
        components: int = 8,
        tolerance: float = 0.01,
        max_modes: int = 256,
        seed: int = 0,
        progress: bool = True,
    ) -> "MixturePrior":
        """Fits a mixture to the coefficients of the modes that `GaussianPrior.fit` finds.

        Arguments:
            process: The process.
            data: Clean images, (N, C, H, W), or a set of them, read as `GaussianPrior.fit` does.
            components: The number of Gaussians, >= 1.
            tolerance: The smallest signal-to-noise ratio of a mode, > 0.
            max_modes: The largest number of modes, >= 1.
            seed: Chooses where the fit starts.
            progress: Whether a bar is shown where it takes more than two seconds.

        Raises:
            ValueError: As `GaussianPrior.fit`; also if no mode survives, or there are fewer images
                than `components` covariances need.
            ImportError: If scikit-learn is missing.
        """
        try:
            from sklearn.mixture import GaussianMixture
        except ImportError:
            raise ImportError(
                "MixturePrior.fit needs scikit-learn: pip install 'softdiffusion[data]'."
            ) from None
        if components < 1:
            raise ValueError(f"A mixture needs at least 1 component, not {components}.")
        generators(seed, [0])  # raises if it is out of range
        chunks = Chunks(data)
        found = surviving_modes(process, chunks, tolerance, max_modes, progress)
        k = at_least_one(found)
        if len(chunks) < components * (k + 1):
            raise ValueError(
                f"{components} covariances of {k} modes need at least {components * (k + 1)} "
                f"images, but there are {len(chunks)}; lower components or max_modes."
            )
        coefficients = found.coefficients()
        mixture = GaussianMixture(components, max_iter=1000, random_state=seed)
        mixture.fit(coefficients.cpu().numpy())
        return cls(
            process,
            found.mean.float(),
            found.modes.float(),
            torch.from_numpy(mixture.weights_).float(),
            torch.from_numpy(mixture.means_).float(),
            torch.from_numpy(mixture.covariances_).float(),
            found.explained,
        )

    @classmethod
    @checked
    def fit_classes(
        cls,
        process: SoftDiffusion,
        data: ImageSet | ImageLike,
        labels: Tensor,
        tolerance: float = 0.01,
        max_modes: int = 256,
        progress: bool = True,
    ) -> "MixturePrior":
        """Fits one Gaussian a class to the coefficients of the modes, weighted by frequency.

        Arguments:
            process: The process.
            data: Clean images, (N, C, H, W), or a set of them, read as `GaussianPrior.fit` does.
            labels: Their classes, int64, (N,), 0, ..., J - 1.
            tolerance: The smallest signal-to-noise ratio of a mode, > 0.
            max_modes: The largest number of modes, >= 1.
            progress: Whether a bar is shown where it takes more than two seconds.

        Raises:
            ValueError: As `GaussianPrior.fit`; also if there is not one label an image, no mode
                survives, or a class has fewer images than its covariance needs.
        """
        chunks = Chunks(data)
        check_one_label_each(labels, len(chunks))
        if (labels < 0).any():
            raise ValueError(
                f"Classes are 0, 1, ..., but one label is {int(labels.min())}; leave out images "
                "without a class."
            )
        found = surviving_modes(process, chunks, tolerance, max_modes, progress)
        k = at_least_one(found)
        labels = labels.cpu()
        counts = torch.bincount(labels)
        if counts.min() <= k:
            raise ValueError(
                f"The covariance of {k} modes needs more than {k} images of every class, but class "
                f"{int(counts.argmin())} has {int(counts.min())}; lower max_modes."
            )
        coefficients = found.coefficients()
        classes = [coefficients[labels == label] for label in range(len(counts))]
        # A mode may be the same in all of a class. The floor is that of `fit`, scikit-learn's.
        floor = 1e-6 * torch.eye(k, dtype=coefficients.dtype)
        return cls(
            process,
            found.mean.float(),
            found.modes.float(),
            (counts / counts.sum()).float(),
            torch.stack([z.mean(dim=0) for z in classes]).float(),
            torch.stack([z.T.cov().reshape(k, k) + floor for z in classes]).float(),
            found.explained,
            by_class=True,
        )

    def sample(
        self,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        component = choose(self.weights, n, generator)
        if self.by_class and labels is not None:
            check_labels(labels, len(self.weights), n)
            component = torch.where(labels.cpu() < 0, component, labels.cpu())
        u = randn((n, len(self.modes)), generator)
        factors = self._factors.to(u)[component]
        z = self.means.to(u)[component] + (factors @ u[..., None])[..., 0]
        return assemble(self.process, self.mean, self.modes, z.to(device), generator)

    def __repr__(self) -> str:
        kept = summary(self.modes, self.explained)
        return f"MixturePrior({len(self.weights)} components, {kept})"
