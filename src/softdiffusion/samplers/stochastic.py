"""Samplers that add noise at every step.

With :math:`r = x_t - C_t \\hat x_0` and :math:`\\rho = \\sigma_s / \\sigma_t` each of them is
:math:`x_s = C_s \\hat x_0 + A r + \\sqrt{v}\\, \\eta`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..denoisers import BaseDenoiser
from ..operators import identity
from ..process import SoftDiffusion, Transition
from .sampler import Final, Noise, Sampler

__all__ = ["AncestralSampler", "BridgeSampler", "MomentumSampler", "NaiveSampler", "NuSampler"]


class NaiveSampler(Sampler):
    r"""Corrupts the prediction anew: :math:`x_s = C_s \hat x_0 + \sigma_s \eta`, so A = 0.

    It forgets the noise that it had, and therefore does not converge to the data distribution
    however many steps it takes. Source: Daras et al. 2022, Algorithm 1.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        mean = hop.C_s(x0_hat)
        return mean if hop.sigma_s == 0 else mean + hop.sigma_s * noise()


class MomentumSampler(Sampler):
    r"""Deblurs, denoises and re-noises.

    .. math:: x_s = x_t + (C_s - C_t) \hat x_0
        + \frac{\sigma_t^2 - \sigma_s^2}{\sigma_t^2} (C_t \hat x_0 - x_t)
        + \sqrt{\sigma_t^2 - \sigma_s^2}\, \eta

    That is :math:`A = \rho^2`. Given :math:`\hat x_0 = x_0` its variance is too large by
    :math:`(\sigma_t^2 - \sigma_s^2)^2 / \sigma_t^2`; `BridgeSampler` has the exact one. A last
    step to :math:`\sigma_s = 0` would leave noise of standard deviation :math:`\sigma_t`.
    Source: Daras et al. 2022, Algorithm 2 and Eq. 16.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        mean = (hop.C_s - hop.rho**2 * hop.C_t)(x0_hat) + hop.rho**2 * x_t
        if hop.keeps_noise:
            return mean
        return mean + (hop.sigma_t**2 - hop.sigma_s**2).sqrt() * noise()


class NuSampler(Sampler):
    r"""Between the deterministic sampler (nu = 0) and the bridge (nu = 1), exact for any nu.

    .. math:: \tau = \nu\, \sigma_s \sqrt{1 - \rho^2}, \qquad
        A = \sqrt{\sigma_s^2 - \tau^2} / \sigma_t, \qquad v = \tau^2

    It is the eta-family of DDIM (Song et al. 2021) carried over to any linear corruption.

    Arguments:
        nu: The share of the noise that is drawn anew, in [0, 1].

    The others are those of `Sampler`.

    Raises:
        ValueError: If `nu` lies outside [0, 1].
    """

    def __init__(
        self,
        process: SoftDiffusion,
        denoiser: BaseDenoiser,
        nu: float = 0.5,
        steps: int = 100,
        times: Sequence[float] | None = None,
        final: Final = "x0_hat",
        clip: tuple[float, float] | None = None,
        progress: bool = False,
    ) -> None:
        if not 0 <= nu <= 1:
            raise ValueError(f"nu must be in [0, 1], but is {nu:g}.")
        super().__init__(process, denoiser, steps, times, final, clip, progress)
        self.nu = nu

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return nu_step(self.nu, x_t, x0_hat, hop, noise)


class BridgeSampler(Sampler):
    r"""Noise with independent increments: :math:`A = \rho^2`, :math:`v = \sigma_s^2 (1 - \rho^2)`.

    Given :math:`\hat x_0 = x_0` it draws exactly from :math:`q(x_s | x_t, x_0)`.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return nu_step(1.0, x_t, x0_hat, hop, noise)


class AncestralSampler(Sampler):
    r"""The Markov chain whose step is :math:`x_t = M x_s + \text{noise}`, :math:`M = C_t C_s^{-1}`.

    .. math:: A = \rho^2 M^\top, \qquad v = \sigma_s^2 (I - \rho^2 M^\top M)

    It is DDPM's sampler for `Scaling` and that of Blurring Diffusion (Hoogeboom and Salimans
    2023) for blur. Modes that :math:`C_s` has suppressed beyond the precision of the numbers are
    drawn anew. The chain exists where :math:`\rho \lVert M \rVert \le 1`, and its operators need
    a square root: diagonal in a transform, or a symmetric matrix.

    Raises:
        ValueError: From a step, where the chain does not exist.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        M = hop.C_t @ hop.C_s.pinverse()
        A = hop.rho**2 * M.T
        mean = (hop.C_s - A @ hop.C_t)(x0_hat) + A(x_t)
        if hop.sigma_s == 0:
            return mean
        covariance = identity() - hop.rho**2 * (M.T @ M)
        return mean + hop.sigma_s * covariance.sqrt()(noise())


def nu_step(nu: float, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
    """One step of the nu-family."""
    if nu == 0 or hop.keeps_noise or hop.sigma_s == 0:
        return (hop.C_s - hop.rho * hop.C_t)(x0_hat) + hop.rho * x_t
    tau = nu * hop.sigma_s * torch.sqrt(1 - hop.rho**2)
    A = torch.sqrt(hop.sigma_s**2 - tau**2) / hop.sigma_t
    return (hop.C_s - A * hop.C_t)(x0_hat) + A * x_t + tau * noise()
