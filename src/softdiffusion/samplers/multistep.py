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

    The clock that measures the steps is the logarithm of the level, the schedule's severity plus
    its noise: :math:`h_i = \log(l_{t_i} / l_{t_{i+1}})`. It runs as :math:`\log t` where both grow
    in proportion to t, as t where they grow geometrically, and unlike a clock in the noise alone it
    does not stand still where the noise is constant. The first step is of first order, and so is
    one to a level of zero. Where there is no noise at t = 0, N equally spaced times end at 1/2N:
    in this clock the last steps are long, and for a few calls 1/N is too far from the image.

    Source: the two-step method of Adams and Bashforth; for noise alone DPM-Solver++(2M), Lu et al.
    2022, whose clock is the logarithm of the signal-to-noise ratio. The study of clocks is
    `studies/multistep`.
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
        if not ratio.isfinite():  # a level of zero ahead, or one that stood still
            return x0_hat
        return x0_hat + ratio / 2 * (x0_hat - last_x0_hat)

    def _elapsed(self, hop: Transition) -> Tensor:
        level = self.process.schedule.level
        return (level(hop.t) / level(hop.s)).log()
