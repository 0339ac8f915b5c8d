"""Wasserstein-2 distances between the data at two severities of a corruption."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike, ImageSet, check_count
from ..chunks import Chunks
from ..corruptions import Corruption
from ..operators import Diagonal, Matrix, Scale
from ..random import generators

__all__ = ["Estimator", "distance_matrix", "wasserstein_distance"]

Method = Literal["auto", "closed", "exact", "sliced", "entropic"]

#: Random directions of the sliced distance; its error falls with their square root.
_DIRECTIONS = 256

#: The regularisation of the entropic distance, as a share of the mean squared distance between
#: an image at one severity and an image at the other.
_ENTROPY = 0.05

#: How far rounding may take double-precision matrices from symmetric and jointly diagonal.
_ROUNDING = 1e-10


@checked
@dataclass(frozen=True)
class Estimator:
    """How distances are measured (see `softdiffusion.schedules.Wasserstein`)."""

    method: Method = "auto"
    samples: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        known = ("auto", "closed", "exact", "sliced", "entropic")
        if self.method not in known:
            raise ValueError(f"The method must be one of {known}, but is {self.method!r}.")
        if self.samples < 1:
            raise ValueError(f"Distances need at least 1 sample, not {self.samples}.")
        check_count("The number of samples", self.samples, 1, 2**31)
        generators(self.seed, [0])  # raises if it is out of range


@checked
def wasserstein_distance(
    corruption: Corruption,
    x: ImageSet | ImageLike,
    severity_a: float,
    severity_b: float,
    method: Method = "auto",
    samples: int = 256,
    seed: int = 0,
) -> float:
    r"""The Wasserstein-2 distance between the images at two severities.

    If :math:`C_a^\top C_b` is symmetric positive semi-definite, keeping every image with itself
    is the optimal coupling (by cyclical monotonicity), so that

    .. math:: W_2(C_a x, C_b x)^2 = E \lVert (C_a - C_b) x \rVert^2.

    Arguments:
        corruption: The family of corruptions.
        x: Images, (N, C, ...), or a set of them.
        severity_a: One severity.
        severity_b: The other.
        method: "closed" (the formula above), "exact" (optimal assignment, SciPy), "sliced" (by
            256 random directions; a lower bound up to their spread, exact for shifts and
            scalings), "entropic" (Sinkhorn divergence, POT; exact for shifts, else biased towards
            zero), or "auto": "closed" where its condition holds,
            "sliced" elsewhere.
        samples: How many images the methods other than "closed" use.
        seed: Chooses those images and the directions of "sliced".

    Raises:
        ValueError: If "closed" is asked for where its condition fails, `samples` is below 1, or
            there is no image or one that is not finite.
    """
    severities = torch.tensor([severity_a, severity_b], dtype=torch.float64)
    estimator = Estimator(method, samples, seed)
    return float(distance_matrix(corruption, x, severities, estimator, False)[1][0, 1])


def distance_matrix(
    corruption: Corruption,
    data: ImageSet | ImageLike,
    severities: Tensor,
    estimator: Estimator,
    progress: bool,
) -> tuple[str, np.ndarray]:
    """All distances between the images at every two severities.

    The closed form goes through the images once, a part at a time; the estimates take a sample.

    Returns:
        The method that was used, and the distances (n, n).

    Raises:
        ValueError: If "closed" is asked for where its condition fails, or there are no images, or
            not of finite real numbers.
    """
    x = Chunks(data)
    method = estimator.method
    if method in ("auto", "closed"):
        embedding = _isometry(corruption, x, severities, progress)
        if embedding is not None:
            return "closed", torch.cdist(
                embedding, embedding, compute_mode="donot_use_mm_for_euclid_dist"
            ).numpy()
        if method == "closed":
            raise ValueError(
                f"{type(corruption).__name__} does not meet the condition of the closed form (the "
                "operators at every two severities must have a symmetric positive semi-definite "
                "product); use the method sliced, exact or entropic."
            )
        method = "sliced"
    return method, _sampled(method, corruption, x, severities, estimator)


def _isometry(
    corruption: Corruption, x: Chunks, severities: Tensor, progress: bool
) -> Tensor | None:
    r"""A vector for every severity whose Euclidean distances are the closed-form ones, or None.

    In a common eigenbasis they are :math:`\lambda_k(i) \sqrt{E[X_k^2]}`.
    """
    operator = corruption.at(severities)
    if isinstance(operator, Diagonal | Scale) and corruption.transform is not None:
        root = _root_mean_square(corruption.transform.forward, x, progress)
        diagonal = operator.diagonal(root.expand(len(severities), *root.shape))
        diagonal = diagonal.expand(len(severities), *root.shape)
    elif isinstance(operator, Matrix) and (joint := _common_eigenbasis(operator.matrix)):
        basis, diagonal = joint
        root = _root_mean_square(lambda z: z.double().flatten(1) @ basis, x, progress)
    else:
        return None
    rounding = _ROUNDING * diagonal.abs().max()
    changes_sign = (diagonal.amin(dim=0) < -rounding) & (diagonal.amax(dim=0) > rounding)
    return None if changes_sign.any() else (diagonal * root).flatten(1)


def _root_mean_square(
    coefficients: Callable[[Tensor], Tensor], x: Chunks, progress: bool
) -> Tensor:
    r"""Returns :math:`\sqrt{E[X_k^2]}` by one pass over the images."""
    chunks = x.read("measuring distances", progress)
    power = sum(coefficients(chunk).square().sum(dim=0).double() for chunk in chunks)
    return (torch.as_tensor(power) / len(x)).sqrt()


def _common_eigenbasis(matrices: Tensor) -> tuple[Tensor, Tensor] | None:
    """Eigenvectors that all the matrices share, and the eigenvalues (B, n); None without them."""
    # A generic sum of commuting symmetric matrices has no eigenvector that one of them lacks;
    # random weights are generic.
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(len(matrices), generator=generator, dtype=matrices.dtype)
    if (matrices - matrices.mT).abs().max() > _ROUNDING * matrices.abs().max():
        return None
    basis = torch.linalg.eigh(torch.einsum("b,bij->ij", weights, matrices)).eigenvectors
    rotated = basis.T @ matrices @ basis
    diagonal = rotated.diagonal(dim1=-2, dim2=-1)
    rest = (rotated - torch.diag_embed(diagonal)).abs().max()
    return (basis, diagonal) if rest <= _ROUNDING * matrices.abs().max() else None


def _sampled(
    method: str, corruption: Corruption, x: Chunks, severities: Tensor, estimator: Estimator
) -> np.ndarray:
    generator = torch.Generator().manual_seed(estimator.seed)
    chosen = torch.randperm(len(x), generator=generator)[: estimator.samples]
    images = x.at(chosen).double()
    levels = torch.stack([corruption.at(s)(images).flatten(1) for s in severities])
    if method == "sliced":
        return _sliced(levels, generator)
    distance = _exact if method == "exact" else _entropic
    n = len(levels)
    result = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            result[i, j] = result[j, i] = distance(levels[i], levels[j])
    return result


def _sliced(levels: Tensor, generator: torch.Generator) -> np.ndarray:
    r""":math:`\sqrt{n}` times the sliced distance, which for shifts and scalings is the plain one.

    For everything else it lies below, bar the spread of the random directions.
    """
    n = levels.shape[-1]
    directions = torch.randn(n, _DIRECTIONS, generator=generator, dtype=levels.dtype)
    directions /= directions.norm(dim=0)
    ranked = (levels @ directions).sort(dim=1).values.flatten(1)
    scale = (n / (ranked.shape[1])) ** 0.5
    return (scale * torch.cdist(ranked, ranked)).numpy()


def _exact(a: Tensor, b: Tensor) -> float:
    from scipy.optimize import linear_sum_assignment

    cost = _cost(a, b)
    return float(cost[linear_sum_assignment(cost)].mean() ** 0.5)


def _entropic(a: Tensor, b: Tensor) -> float:
    r"""The root of the Sinkhorn divergence :math:`OT(a, b) - (OT(a, a) + OT(b, b)) / 2`."""
    cost = _cost(a, b)
    # Relative to the spread of the images: relative to a short hop it would never converge.
    regularisation = _ENTROPY * float(cost.mean()) or 1.0
    divergence = _regularised(cost, regularisation)
    for same in (a, b):
        divergence -= _regularised(_cost(same, same), regularisation) / 2
    return max(divergence, 0.0) ** 0.5


def _regularised(cost: np.ndarray, regularisation: float) -> float:
    """The entropic transport cost, bar a constant that depends on the number of images alone."""
    try:
        import ot
    except ImportError:
        raise ImportError(
            "Entropic distances need POT: pip install 'softdiffusion[metrics]'."
        ) from None

    weights = np.full(len(cost), 1 / len(cost))
    _, log = ot.sinkhorn(
        weights, weights, cost, regularisation, numItermax=10_000, stopThr=1e-6, log=True
    )
    return float(regularisation * (np.log(log["u"]).mean() + np.log(log["v"]).mean()))


def _cost(a: Tensor, b: Tensor) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(a.numpy(), b.numpy(), "sqeuclidean")
