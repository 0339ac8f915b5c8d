"""The paper's momentum sampler."""

from typing import final

from torch import Tensor

from ..process import Transition
from .sampler import Noise, Sampler

__all__ = ["MomentumSampler"]


@final
class MomentumSampler(Sampler):
    r"""Deblurs, denoises and adds noise: :math:`A = \rho^2`, :math:`v = \sigma_t^2 - \sigma_s^2`.

    .. math:: x_s = x_t + (C_s - C_t)\, \hat x_0
        + \frac{\sigma_t^2 - \sigma_s^2}{\sigma_t^2} (C_t \hat x_0 - x_t)
        + \sqrt{\sigma_t^2 - \sigma_s^2}\; \eta

    With :math:`C = I` it is the reverse-diffusion predictor of the VE-SDE (Song et al. 2021), and
    with constant noise the second algorithm of Cold Diffusion (Bansal et al. 2022).

    Given :math:`\hat x_0 = x_0` its variance is too large by
    :math:`(\sigma_t^2 - \sigma_s^2)^2 / \sigma_t^2`; `BridgeSampler` has the exact one. With
    `final="sigma_min"` a last step to :math:`\sigma_s = 0` therefore leaves noise of standard
    deviation :math:`\sigma_t`.

    Source: Daras et al. 2022, Algorithm 2 and Eq. 16.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        A = hop.rho**2
        mean = (hop.C_s - A * hop.C_t)(x0_hat) + A * x_t
        if hop.keeps_noise:
            return mean
        return mean + (hop.sigma_t**2 - hop.sigma_s**2).sqrt() * noise()
