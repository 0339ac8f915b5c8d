"""The deterministic sampler, and the step that the second-order ones share with it."""

from typing import final

from torch import Tensor

from ..process import Transition
from .sampler import Noise, Sampler

__all__ = ["DeterministicSampler", "deterministic_step"]


@final
class DeterministicSampler(Sampler):
    r"""Keeps the noise and scales it, the analogue of DDIM: :math:`A = \rho`, :math:`v = 0`.

    .. math:: x_s = C_s \hat x_0 + \rho\,(x_t - C_t \hat x_0)

    Given :math:`\hat x_0 = x_0` it is exact, and as long as the prediction stays the same it
    solves the probability flow at any step size.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)


def deterministic_step(x_t: Tensor, x0_hat: Tensor, hop: Transition) -> Tensor:
    r"""Returns :math:`C_s \hat x_0 + \rho\,(x_t - C_t \hat x_0)`."""
    return (hop.C_s - hop.rho * hop.C_t)(x0_hat) + hop.rho * x_t
