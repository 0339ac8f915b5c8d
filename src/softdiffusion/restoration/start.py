"""What is known before sampling: the data's moments, and a start that knows the measurement."""

from torch import Tensor

from ..checks import check_noise, per_sample
from ..corruptions import Identity
from ..denoisers import GaussianDenoiser
from ..denoisers.posterior import conditional_mean
from ..operators import Diagonal, LinearOperator
from ..process import SoftDiffusion
from ..random import Generator, randn

__all__ = ["linear_model", "posterior_start", "prior_covariance"]


def linear_model(process: SoftDiffusion, data: Tensor) -> GaussianDenoiser:
    """Mean and spectrum of images, in the transform of the process, or in the DCT without one.

    Without one, the result belongs to a process of the same noise that leaves images as they are:
    it holds the moments alone.

    Arguments:
        process: The model's process.
        data: Clean images, (N, C, ...).
    """
    if process.corruption.transform is None:
        process = SoftDiffusion(Identity(), process.schedule)
    return GaussianDenoiser.fit(process, data)


def posterior_start(
    linear: GaussianDenoiser,
    operator: LinearOperator,
    y: Tensor,
    sigma_y: float | Tensor,
    generator: Generator = None,
    process: SoftDiffusion | None = None,
) -> Tensor:
    r"""Draws :math:`x_1` from :math:`p(x_1 | y)` for Gaussian data.

    A strongly blurred image still has its brightness and its coarsest shapes, so a start that does
    not know y would contradict it. The draw is Matheron's: an image of the prior, moved by the
    linear estimate of what its own measurement misses,

    .. math:: x_0 = \tilde x_0 + V A^\top (A V A^\top + \sigma_y^2 I)^{-1}
        (y - A \tilde x_0 - \sigma_y n), \quad \tilde x_0 \sim N(m, V), \qquad
        x_1 = C_1 x_0 + \sigma_1 \eta.

    Arguments:
        linear: Mean and spectrum of the data (see `linear_model`).
        operator: The measurement's operator A.
        y: The measurements, (B, ...).
        sigma_y: Their noise, >= 0, or one a measurement, (B,).
        generator: One for all, or one for every image.
        process: The process whose start is drawn; None for that of `linear`.

    Returns:
        Starts in the dtype of `y`, (B, C, ...).

    Raises:
        ValueError: If the noise is negative or not finite.

    Source: Journel and Huijbregts 1978; Doucet 2010.
    """
    check_noise(sigma_y)
    shape = (len(y), *linear.mean.shape)
    z = linear.spectrum.to(y).sqrt() * randn(shape, generator, y.dtype, y.device)
    drawn = linear.mean.to(y) + linear.transform.inverse(z)
    missed = y - per_sample(sigma_y, y) * randn(y.shape, generator, y.dtype, y.device)
    x0 = conditional_mean(drawn, prior_covariance(linear), operator, missed, sigma_y)
    noise = randn(shape, generator, y.dtype, y.device)
    return (process or linear.process).perturb(x0, 1.0, noise)


def prior_covariance(linear: GaussianDenoiser) -> LinearOperator:
    r"""The covariance of the data, :math:`V = T^{-1} \operatorname{diag}(v)\, T`."""
    return Diagonal(linear.transform, lambda z: linear.spectrum.to(z)[None])
