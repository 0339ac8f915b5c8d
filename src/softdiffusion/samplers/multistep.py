"""Second order at one call a step."""

from typing import final

from torch import Tensor

from ..process import Transition
from .deterministic import deterministic_step
from .sampler import Noise, Past, Predict, Sampler

__all__ = ["MultistepSampler"]


@final
class MultistepSampler(Sampler):
    r"""The deterministic step with a prediction extrapolated from the last two.

    .. math:: D = \hat x_0^{(i)}
        + \frac{h_i}{2 h_{i-1}} \bigl(\hat x_0^{(i)} - \hat x_0^{(i-1)}\bigr), \qquad
        x_s = C_s D + \rho\,(x_t - C_t D)

    The steps :math:`h_i` are measured by the schedule's `clock`: :math:`\log t` where severity and
    noise are in proportion to t, and t itself where they do not start from zero. Unlike a clock in
    the noise alone it does not stand still where the noise is constant. The first step is of first
    order, and so is one to t = 0 by a logarithm. Where there is no noise at t = 0, N equally spaced
    times end at 1/2N: for a few calls 1/N is too far from the image.

    Source: the two-step method of Adams and Bashforth; for noise alone DPM-Solver++(2M), Lu et al.
    2022, whose clock is the logarithm of the signal-to-noise ratio.
    """

    last_share = 0.5

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)

    def refine(
        self, x_t: Tensor, x0_hat: Tensor, hop: Transition, past: Past | None, predict: Predict
    ) -> Tensor:
        if past is None:
            return x0_hat
        last_hop, last_x0_hat = past
        ratio = self._elapsed(hop) / self._elapsed(last_hop)
        if not ratio.isfinite():  # the clock ends ahead, or stood still before
            return x0_hat
        return x0_hat + ratio / 2 * (x0_hat - last_x0_hat)

    def _elapsed(self, hop: Transition) -> Tensor:
        clock = self.process.schedule.clock
        return clock(hop.t) - clock(hop.s)
