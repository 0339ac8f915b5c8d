"""The naive sampler."""

from typing import final

from torch import Tensor

from ..process import Transition
from .sampler import Noise, Sampler

__all__ = ["NaiveSampler"]


@final
class NaiveSampler(Sampler):
    r"""Corrupts the prediction anew: :math:`A = 0`, :math:`v = \sigma_s^2`.

    .. math:: x_s = C_s \hat x_0 + \sigma_s \eta

    Given :math:`\hat x_0 = x_0` it is exact, but it forgets everything about :math:`x_t` that the
    prediction leaves out, and keeps a bias however many steps it takes. It draws noise wherever
    :math:`\sigma_s > 0`, also where the noise level stays the same.

    Source: Daras et al. 2022, Algorithm 1.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        mean = hop.C_s(x0_hat)
        return mean if hop.sigma_s == 0 else mean + hop.sigma_s * noise()
