"""Second order by a second call."""

from typing import final

from torch import Tensor

from ..process import Transition
from .deterministic import deterministic_step
from .sampler import Noise, Past, Predict, Sampler

__all__ = ["HeunSampler"]


@final
class HeunSampler(Sampler):
    r"""Repeats the deterministic step with the mean of the predictions at its two ends.

    .. math:: \tilde x_s = C_s \hat x_0(x_t) + \rho\,(x_t - C_t \hat x_0(x_t)), \qquad
        D = \tfrac12 (\hat x_0(x_t) + \hat x_0(\tilde x_s)), \qquad
        x_s = C_s D + \rho\,(x_t - C_t D)

    By variation of constants :math:`x_s = \rho x_t + \sigma_s \int d(C / \sigma)\, \hat x_0`, and
    the mean is the trapezoidal rule for that integral.

    A step makes two network calls, so N `steps` are about 2 N calls (see `nfe`). A step to t = 0
    without noise makes one and is of first order, since a network is not trained there.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)

    def refine(
        self, x_t: Tensor, x0_hat: Tensor, hop: Transition, past: Past | None, predict: Predict
    ) -> Tensor:
        s = float(hop.s)
        if self.calls(s) == 1:
            return x0_hat
        return (x0_hat + predict(deterministic_step(x_t, x0_hat, hop), s)) / 2

    def calls(self, s: float) -> int:
        return 1 if s == 0 and self.process.sigma(s) == 0 else 2
