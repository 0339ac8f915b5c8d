"""Heun's method as EDM takes it."""

from typing import final

from torch import Tensor

from ..process import Transition
from .deterministic import deterministic_step
from .sampler import Noise, Past, Predict, Sampler

__all__ = ["KarrasSampler"]


@final
class KarrasSampler(Sampler):
    r"""Heun's method on the probability flow as a function of the noise level.

    The flow is :math:`dx = dC\, \hat x_0 + d\sigma\, (x - C \hat x_0) / \sigma`, and a step takes
    the mean of the predictions :math:`\hat x_0`, and of the slopes in :math:`\sigma`, at its two
    ends. That is the deterministic step with

    .. math:: D = \hat x_0(x_t) + \frac{1}{2 \rho} (\hat x_0(\tilde x_s) - \hat x_0(x_t))

    and :math:`\tilde x_s` as in `HeunSampler`, which has 1/2 in the place of :math:`1 / 2 \rho`.
    Without a corruption, :math:`C = I`, it is EDM's sampler. A step makes two network calls, and
    one to a time without noise where there is noise before.

    Source: Karras et al. 2022, Algorithm 1, and Algorithm 2 without its added noise.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)

    def refine(
        self, x_t: Tensor, x0_hat: Tensor, hop: Transition, past: Past | None, predict: Predict
    ) -> Tensor:
        s = float(hop.s)
        if self.calls(s) == 1:
            return x0_hat
        following = predict(deterministic_step(x_t, x0_hat, hop), s)
        return x0_hat + (following - x0_hat) / (2 * hop.rho)

    def calls(self, s: float) -> int:
        # The slope at a noise level that falls to zero is infinite.
        return 1 if self.process.sigma(s) == 0 < self.process.sigma(1.0) else 2
