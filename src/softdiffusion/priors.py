r"""The start of sampling: the distribution of :math:`x_1 = C_1 x_0 + \sigma_1 \eta`.

Strong corruption leaves few modes of the data above the noise. A prior fitted to those modes is
small, and is saved with the model, so that sampling needs no training images.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import torch
from torch import Tensor

from .checks import check_data, check_labels
from .process import SoftDiffusion
from .random import Generator, randn

__all__ = ["DataPrior", "GaussianPrior", "MixturePrior", "Prior"]

#: Up to so many images or coordinates, whichever are fewer, the eigenvectors are exact.
_LARGEST_EXACT = 4096

#: Images that are corrupted at once.
_CHUNK = 1024

#: Passes of the subspace iteration, and the directions it carries beyond those asked for.
_PASSES = 4
_SPARE_DIRECTIONS = 16


class Prior(ABC):
    """The distribution that sampling starts from."""

    process: SoftDiffusion

    @abstractmethod
    def sample(
        self,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        """Draws `n` fully corrupted images.

        Arguments:
            n: How many.
            generator: One generator for all, or a sequence of `n` of them, one for every image,
                which then has the same noise whatever else is drawn with it.
            device: Where the result lies.
            labels: The class of every image, int64, (n,), -1 for none. Only a mixture that was
                fitted to classes starts differently for each of them.

        Returns:
            Images x_1, (n, C, H, W), float32.

        Raises:
            ValueError: If the number of generators is not `n`, or the labels do not fit.
        """


class GaussianPrior(Prior):
    r"""A Gaussian on the modes that outlive the noise, with independent coefficients.

    .. math:: x_1 = m + \sum_k z_k u_k + \sigma_1 \eta, \qquad z_k, \eta \sim N(0, 1)

    Arguments:
        process: The process; it supplies :math:`\sigma_1`.
        mean: The mean m of the corrupted data, (C, H, W).
        modes: The modes :math:`u_k`, orthogonal, each as long as its standard deviation,
            (K, C, H, W); K may be 0.
        explained: The share of the corrupted data's variance that the modes hold, in [0, 1], for
            information; None if it is unknown.

    Raises:
        ValueError: If shapes do not fit.
    """

    def __init__(
        self,
        process: SoftDiffusion,
        mean: Tensor,
        modes: Tensor,
        explained: float | None = None,
    ) -> None:
        _check_modes(mean, modes)
        self.process = process
        self.mean = mean
        self.modes = modes
        self.explained = explained

    @classmethod
    def fit(
        cls,
        process: SoftDiffusion,
        data: Tensor,
        tolerance: float = 0.01,
        max_modes: int = 256,
    ) -> "GaussianPrior":
        r"""Takes the principal components of :math:`C_1 x_0` that outlive the noise.

        Those are the ones with a variance above `tolerance` :math:`\sigma_1^2`; without noise,
        all with a variance above rounding. The `max_modes` strongest of them are kept;
        `explained` says what share of the variance that is. Eigenvectors are exact up to 4,096
        images or coordinates, whichever are fewer, and come from a subspace iteration beyond.

        Arguments:
            process: The process.
            data: Clean images, (N, C, H, W).
            tolerance: The smallest signal-to-noise ratio of a mode, > 0.
            max_modes: The largest number of modes, >= 1.

        Raises:
            ValueError: If an argument is out of range, the data are not finite, or there are too
                few images to tell how many modes survive.
        """
        found = _surviving_modes(process, data, tolerance, max_modes)
        return cls(process, found.mean.float(), found.modes.float(), found.explained)

    def sample(
        self,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        z = randn((n, len(self.modes)), generator, device=device)
        return _assemble(self.process, self.mean, self.modes, z, generator)

    def __repr__(self) -> str:
        return f"GaussianPrior({_summary(self.modes, self.explained)})"


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
        _check_modes(mean, modes)
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
        factors, failures = torch.linalg.cholesky_ex(covariances)
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
    def fit(
        cls,
        process: SoftDiffusion,
        data: Tensor,
        components: int = 8,
        tolerance: float = 0.01,
        max_modes: int = 256,
        seed: int = 0,
    ) -> "MixturePrior":
        """Fits a mixture to the coefficients of the modes that `GaussianPrior.fit` finds.

        Arguments:
            process: The process.
            data: Clean images, (N, C, H, W).
            components: The number of Gaussians, >= 1.
            tolerance: The smallest signal-to-noise ratio of a mode, > 0.
            max_modes: The largest number of modes, >= 1.
            seed: Chooses where the fit starts.

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
        found = _surviving_modes(process, data, tolerance, max_modes)
        k = _at_least_one(found)
        if len(data) < components * (k + 1):
            raise ValueError(
                f"{components} covariances of {k} modes need at least {components * (k + 1)} "
                f"images, but there are {len(data)}; lower components or max_modes."
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
    def fit_classes(
        cls,
        process: SoftDiffusion,
        data: Tensor,
        labels: Tensor,
        tolerance: float = 0.01,
        max_modes: int = 256,
    ) -> "MixturePrior":
        """Fits one Gaussian a class to the coefficients of the modes, weighted by frequency.

        Arguments:
            process: The process.
            data: Clean images, (N, C, H, W).
            labels: Their classes, int64, (N,), 0, ..., J - 1.
            tolerance: The smallest signal-to-noise ratio of a mode, > 0.
            max_modes: The largest number of modes, >= 1.

        Raises:
            ValueError: As `GaussianPrior.fit`; also if no mode survives, or a class has fewer
                images than its covariance needs.
        """
        found = _surviving_modes(process, data, tolerance, max_modes)
        k = _at_least_one(found)
        counts = torch.bincount(labels)
        if counts.min() <= k:
            raise ValueError(
                f"The covariance of {k} modes needs more than {k} images of every class, but class "
                f"{int(counts.argmin())} has {int(counts.min())}; lower max_modes."
            )
        coefficients = found.coefficients()
        classes = [coefficients[labels == label] for label in range(len(counts))]
        return cls(
            process,
            found.mean.float(),
            found.modes.float(),
            (counts / counts.sum()).float(),
            torch.stack([z.mean(dim=0) for z in classes]).float(),
            torch.stack([z.T.cov().reshape(k, k) for z in classes]).float(),
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
        component = _choose(self.weights, n, generator)
        if self.by_class and labels is not None:
            check_labels(labels, len(self.weights), n)
            component = torch.where(labels.cpu() < 0, component, labels.cpu())
        u = randn((n, len(self.modes)), generator)
        z = self.means[component] + (self._factors[component] @ u[..., None])[..., 0]
        return _assemble(self.process, self.mean, self.modes, z.to(device), generator)

    def __repr__(self) -> str:
        summary = _summary(self.modes, self.explained)
        return f"MixturePrior({len(self.weights)} components, {summary})"


class DataPrior(Prior):
    """Draws training images and corrupts them: it needs the training images at sampling time.

    It is exact for the training set, but it is not a model of the data: it can't be saved with
    one, and every sample starts from what is left of a training image.

    Arguments:
        process: The process that corrupts them.
        data: Clean images, (N, C, H, W), N >= 1.

    Raises:
        ValueError: If there are no images.
    """

    def __init__(self, process: SoftDiffusion, data: Tensor) -> None:
        if len(data) == 0:
            raise ValueError("A DataPrior needs at least one image, but got none.")
        self.process = process
        self.data = data

    def sample(
        self,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        index = _choose(torch.ones(len(self.data)), n, generator).to(self.data.device)
        x0 = self.data[index].to(device, torch.float32)
        return self.process.perturb(x0, 1.0, randn(x0.shape, generator, device=device))

    def __repr__(self) -> str:
        return (
            f"DataPrior({len(self.data)} training images; needs them at sampling time, and is not "
            "saved)"
        )


Chunks = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class _Modes:
    """The modes that outlive the noise, and the corrupted, centred data as chunks (B, n)."""

    mean: Tensor
    modes: Tensor
    explained: float
    chunks: Chunks

    def coefficients(self) -> Tensor:
        """The z of all images, (N, K)."""
        u = self.modes.flatten(1)
        return torch.cat([chunk @ u.T / u.square().sum(dim=1) for chunk in self.chunks()])


def _at_least_one(found: _Modes) -> int:
    """The number of modes, if there is one that a mixture can be fitted to."""
    if len(found.modes) == 0:
        raise ValueError(
            "No mode of the data outlives the noise, so there is nothing to fit a mixture to; "
            "use GaussianPrior."
        )
    return len(found.modes)


def _surviving_modes(
    process: SoftDiffusion, data: Tensor, tolerance: float, max_modes: int
) -> _Modes:
    if not tolerance > 0:
        raise ValueError(f"The tolerance must be > 0, but is {tolerance:g}.")
    if max_modes < 1:
        raise ValueError(f"max_modes must be at least 1, but is {max_modes}.")
    if len(data) < 2:
        raise ValueError(f"A prior is fitted to at least 2 images, but got {len(data)}.")
    check_data(data)
    operator = process.operator(1.0)

    def corrupted() -> Iterator[Tensor]:
        return (operator(chunk.double()) for chunk in data.split(_CHUNK))

    mean = _total(chunk.sum(dim=0) for chunk in corrupted()) / len(data)

    def chunks() -> Iterator[Tensor]:
        return ((chunk - mean).flatten(1) for chunk in corrupted())

    count, n = len(data), mean.numel()
    total = _total(chunk.square().sum() for chunk in chunks()) / (count - 1)
    variances, directions = _principal_components(chunks, count, n, max_modes)
    rounding = n * torch.finfo(torch.float64).eps * variances.max()
    sigma = process.sigma(1.0).to(variances)
    kept = int((variances > torch.maximum(tolerance * sigma**2, rounding)).sum())
    # Centred images span one direction fewer than there are images.
    if kept >= count - 1 and count - 1 < n:
        raise ValueError(
            f"All {kept} modes that {count} images can show outlive the noise, so there may be "
            "more; give more images, or lower max_modes."
        )
    modes = variances[:kept].sqrt()[:, None] * directions[:, :kept].T
    return _Modes(
        mean=mean,
        modes=modes.reshape(kept, *mean.shape),
        explained=min(float(variances[:kept].sum() / total), 1.0) if total > 0 else 1.0,
        chunks=chunks,
    )


def _principal_components(chunks: Chunks, count: int, n: int, most: int) -> tuple[Tensor, Tensor]:
    """The largest variances, descending, and their directions as columns (n, K), K <= `most`."""
    if n <= min(count, _LARGEST_EXACT):
        return _largest_eigenvectors(_covariance(chunks) / (count - 1), most)
    if count <= _LARGEST_EXACT:
        x = torch.cat(list(chunks()))
        variances, weights = _largest_eigenvectors(x @ x.T / (count - 1), most)
        return variances, torch.nn.functional.normalize(x.T @ weights, dim=0)
    width = min(most + _SPARE_DIRECTIONS, n)
    # Images are a better start than random directions, and the same one every time.
    start = torch.cat(list(islice(chunks(), -(-width // _CHUNK))))[:width]
    basis = torch.linalg.qr(start.T).Q
    for _ in range(_PASSES):
        moved = _total(chunk.T @ (chunk @ basis) for chunk in chunks())
        basis = torch.linalg.qr(moved).Q
    projected = _covariance(lambda: (chunk @ basis for chunk in chunks())) / (count - 1)
    variances, rotation = _largest_eigenvectors(projected, most)
    return variances, basis @ rotation


def _covariance(chunks: Chunks) -> Tensor:
    return _total(chunk.T @ chunk for chunk in chunks())


def _largest_eigenvectors(symmetric: Tensor, most: int) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(symmetric)
    return values.flip(0)[:most], vectors.flip(1)[:, :most]


def _total(terms: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, terms)


def _choose(weights: Tensor, n: int, generator: Generator) -> Tensor:
    """Draws `n` indices, each with the probability of its weight."""
    # The distribution function turns a normal number into a uniform one, so that all noise comes
    # from the same function, whatever kind of generator there is.
    uniform = torch.special.ndtr(randn((n, 1), generator, dtype=torch.float64))[:, 0]
    steps = weights.double().cumsum(dim=0)
    index = torch.searchsorted(steps / steps[-1], uniform, right=True)
    return index.clamp(max=len(weights) - 1)


def _assemble(
    process: SoftDiffusion, mean: Tensor, modes: Tensor, z: Tensor, generator: Generator
) -> Tensor:
    """Returns the images with coefficients `z`, (n, K), under the last noise level."""
    signal = mean.to(z) + (z @ modes.to(z).flatten(1)).reshape(-1, *mean.shape)
    noise = randn(signal.shape, generator, device=z.device)
    return signal + process.sigma(1.0).to(z) * noise


def _check_modes(mean: Tensor, modes: Tensor) -> None:
    if modes.shape[1:] != mean.shape:
        raise ValueError(
            f"The modes must have the mean's shape {tuple(mean.shape)} behind the first axis, but "
            f"have {tuple(modes.shape)}."
        )


def _summary(modes: Tensor, explained: float | None) -> str:
    share = "" if explained is None else f", {explained:.2%} of the variance"
    return f"{len(modes)} modes{share}"
