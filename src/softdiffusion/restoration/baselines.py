"""What classical methods make of a degraded image."""

from functools import partial
from typing import Any

from torch import Tensor

from ..checks import check_noise
from ..denoisers import BaseDenoiser, GaussianDenoiser
from ..denoisers.posterior import conditional_mean
from ..operators import (
    ChannelMatrix,
    Convolution,
    Diagonal,
    LinearOperator,
    Matrix,
    Scale,
    solve,
)
from ..samplers import DeterministicSampler
from .restore import restore
from .start import prior_covariance

__all__ = ["one_step", "pseudo_inverse", "wiener"]


def pseudo_inverse(operator: LinearOperator, y: Tensor, sigma_y: float = 0.0) -> Tensor:
    r"""The image of least norm that explains a measurement :math:`y = A x_0 + \sigma_y n`.

    For operators that are diagonal in a transform, convolutions and matrices it is
    :math:`A^+ y`, without the singular values of at most `sigma_y` times the largest one, whose
    noise would drown everything. For all others it is
    :math:`A^\top (A A^\top + \sigma_y^2 I)^{-1} y`, by conjugate gradients.

    Arguments:
        operator: A.
        y: The measurements, (B, ...).
        sigma_y: Their noise for images in [-1, 1], >= 0.

    Raises:
        ValueError: If the noise is negative or not finite.
    """
    check_noise(sigma_y)
    if isinstance(operator, Diagonal | Scale | Convolution | Matrix | ChannelMatrix):
        return operator.pinv(y, sigma_y or None)
    return operator.T(solve(operator @ operator.T + Scale(sigma_y**2), y))


def wiener(
    linear: GaussianDenoiser, operator: LinearOperator, y: Tensor, sigma_y: float = 0.0
) -> Tensor:
    r"""The best linear estimate from the data's mean m and covariance V (Wiener filter).

    .. math:: m + V A^\top (A V A^\top + \sigma_y^2 I)^{-1} (y - A m)

    In closed form where A is diagonal in the same transform as V, by conjugate gradients
    otherwise.

    Arguments:
        linear: Holds mean and spectrum of the data, and the transform.
        operator: A.
        y: The measurements, (B, ...).
        sigma_y: Their noise, >= 0.

    Raises:
        ValueError: If the noise is negative or not finite.
    """
    check_noise(sigma_y)
    mean = linear.mean.to(y).expand(len(y), *linear.mean.shape)
    return conditional_mean(mean, prior_covariance(linear), operator, y, sigma_y)


def one_step(denoiser: BaseDenoiser, y: Tensor, **arguments: Any) -> Tensor:
    """The model's prediction from the start of the sampler, the posterior mean in one call.

    Arguments:
        denoiser: The model.
        y: Degraded images, (B, C, ...).
        arguments: Those of `restore` but samples and sampler.
    """
    once = partial(DeterministicSampler, times=[1.0])
    return restore(denoiser, y, sampler=once, **arguments).samples[0]
