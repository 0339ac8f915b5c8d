"""The ancestral sampler of a Markov chain."""

from typing import final

import torch
from torch import Tensor

from ..operators import identity
from ..process import Transition
from .sampler import Noise, Sampler

__all__ = ["AncestralSampler"]


@final
class AncestralSampler(Sampler):
    r"""Reverses the Markov chain in which :math:`x_t` is :math:`M x_s` plus noise.

    .. math:: M = C_t C_s^{-1}, \qquad A = \rho^2 M^\top, \qquad
        x_s = C_s \hat x_0 + A\,(x_t - C_t \hat x_0)
        + \sigma_s (I - \rho^2 M^\top M)^{1/2}\, \eta

    For `Scaling` it is DDPM's sampler (Ho et al. 2020), for blur that of Blurring Diffusion
    (Hoogeboom and Salimans 2023), and with :math:`M = I` it is the bridge. The inverse is the
    pseudo-inverse: modes that :math:`C_s` has suppressed beyond the precision of the numbers are
    drawn anew. Unlike the bridge it draws noise also where the noise level stays the same.

    The operators must be diagonal in one transform, or matrices, for the square root to be known.

    Raises:
        ValueError: From a step, if :math:`\rho \lVert M \rVert > 1`, so that there is no such
            chain, or if the square root can't be taken.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        M = hop.C_t @ hop.C_s.pinverse()
        A = hop.rho**2 * M.T
        mean = (hop.C_s - A @ hop.C_t)(x0_hat) + A(x_t)
        if hop.sigma_s == 0:
            return mean
        covariance = identity() - hop.rho**2 * (M.T @ M)
        rounding = x_t[0].numel() * torch.finfo(x_t.dtype).eps
        eta = noise()
        try:
            drawn = covariance.sqrt(rounding)(eta)
        except ValueError as error:
            raise ValueError(
                f"The step from t = {float(hop.t):g} to {float(hop.s):g} can't be drawn as one of "
                f"a Markov chain; name another sampler, such as BridgeSampler: {error}"
            ) from None
        return mean + hop.sigma_s * drawn
