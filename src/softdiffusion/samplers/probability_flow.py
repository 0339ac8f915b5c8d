"""The paper's probability-flow sampler."""

from typing import final

from torch import Tensor

from ..process import Transition
from .sampler import Noise, Sampler

__all__ = ["ProbabilityFlowSampler"]


@final
class ProbabilityFlowSampler(Sampler):
    r"""Euler's method on the probability flow: :math:`A = (1 + \rho^2) / 2`, :math:`v = 0`.

    .. math:: x_s = x_t + (C_s - C_t)\, \hat x_0
        + \frac{\sigma_t^2 - \sigma_s^2}{2 \sigma_t^2} (C_t \hat x_0 - x_t)

    Given :math:`\hat x_0 = x_0` the standard deviation of its noise is too large by
    :math:`\tfrac12 \sigma_t (1 - \rho)^2`, which at a last step to :math:`\sigma_s = 0` is half
    of :math:`\sigma_t`; `DeterministicSampler` has the exact one.

    Source: Daras et al. 2022, Eq. 18.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        A = (1 + hop.rho**2) / 2
        return (hop.C_s - A * hop.C_t)(x0_hat) + A * x_t
