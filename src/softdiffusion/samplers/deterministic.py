"""Samplers that add no noise: the probability flow at first and second order."""

from torch import Tensor

from ..process import Transition
from .sampler import Noise, Sampler

__all__ = ["DeterministicSampler", "HeunSampler", "MultistepSampler", "ProbabilityFlowSampler"]


class DeterministicSampler(Sampler):
    r"""Keeps the noise and scales it: :math:`x_s = C_s \hat x_0 + \rho\,(x_t - C_t \hat x_0)`.

    The analogue of DDIM. It solves the probability flow exactly, at any step size, as long as the
    prediction stays the same.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)


class ProbabilityFlowSampler(Sampler):
    r"""Euler's method on the probability flow in the variance: :math:`A = (1 + \rho^2) / 2`.

    Given :math:`\hat x_0 = x_0` the noise that it leaves is too large by
    :math:`\tfrac12 \sigma_t (1 - \rho)^2`. Source: Daras et al. 2022, Eq. 18.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        A = (1 + hop.rho**2) / 2
        return (hop.C_s - A * hop.C_t)(x0_hat) + A * x_t


class HeunSampler(Sampler):
    r"""Second order by a second call: the step is repeated with the mean of both ends' predictions.

    By variation of constants :math:`x_s = \rho x_t + \sigma_s \int d(C/\sigma)\, \hat x_0`, and the
    mean of the predictions is the trapezoidal rule for the integral. Two calls a step; N `steps`
    are N grid times.
    """

    calls_per_step = 2

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)

    def refine(
        self, x_t: Tensor, x0_hat: Tensor, hop: Transition, past: tuple[Transition, Tensor] | None
    ) -> Tensor:
        return (x0_hat + self.predict(deterministic_step(x_t, x0_hat, hop), hop.s)) / 2


class MultistepSampler(Sampler):
    r"""Second order at one call a step: the prediction is extrapolated from the last two.

    .. math:: D = \hat x_0^{(i)} + \frac{h_i}{2 h_{i-1}} (\hat x_0^{(i)} - \hat x_0^{(i-1)}), \qquad
        x_s = C_s D + \rho\,(x_t - C_t D)

    The clock is the schedule's own time t, :math:`h_i = t_i - t_{i+1}`: unlike one in the noise
    level it does not stand still where the noise is constant. The first step is first order.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)

    def refine(
        self, x_t: Tensor, x0_hat: Tensor, hop: Transition, past: tuple[Transition, Tensor] | None
    ) -> Tensor:
        if past is None:
            return x0_hat
        last_hop, last_x0_hat = past
        ratio = (hop.t - hop.s) / (last_hop.t - last_hop.s)
        return x0_hat + ratio / 2 * (x0_hat - last_x0_hat)


def deterministic_step(x_t: Tensor, x0_hat: Tensor, hop: Transition) -> Tensor:
    r""":math:`C_s \hat x_0 + \rho\,(x_t - C_t \hat x_0)`, with one transform pair."""
    return (hop.C_s - hop.rho * hop.C_t)(x0_hat) + hop.rho * x_t
