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

    The clock that measures the steps is the schedule's own time, :math:`h_i = t_i - t_{i+1}`: on
    an equally spaced grid that is the step index, and unlike a clock in the noise level it does
    not stand still where the noise is constant. The first step is of first order.
    """

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        return deterministic_step(x_t, x0_hat, hop)

    def advance(
        self,
        x_t: Tensor,
        x0_hat: Tensor,
        hop: Transition,
        past: Past | None,
        predict: Predict,
        noise: Noise,
    ) -> Tensor:
        if past is None:
            return self.step(x_t, x0_hat, hop, noise)
        ratio = (hop.t - hop.s) / (past.hop.t - past.hop.s)
        return self.step(x_t, x0_hat + ratio / 2 * (x0_hat - past.x0_hat), hop, noise)
