"""The bridge sampler."""

from typing import final

from torch import Tensor

from ..process import Transition
from .sampler import Noise, Sampler

__all__ = ["BridgeSampler"]


@final
class BridgeSampler(Sampler):
    r"""Momentum with the exact variance: :math:`A = \rho^2`, :math:`v = \sigma_s^2 (1 - \rho^2)`.

    .. math:: x_s = C_s \hat x_0 + \rho^2 (x_t - C_t \hat x_0)
        + \sigma_s \sqrt{1 - \rho^2}\; \eta

    It draws from :math:`q(x_s | x_t, x_0 = \hat x_0)` of the process whose noise has independent
    increments. A last step to :math:`\sigma_s = 0` adds no noise.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        A = hop.rho**2
        mean = (hop.C_s - A * hop.C_t)(x0_hat) + A * x_t
        if hop.keeps_noise or hop.sigma_s == 0:
            return mean
        return mean + hop.sigma_s * (1 - hop.rho**2).sqrt() * noise()
