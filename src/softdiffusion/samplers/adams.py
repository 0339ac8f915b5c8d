"""Second order at one call a step, with every step corrected."""

from functools import reduce
from operator import add
from typing import final

from torch import Tensor

from ..operators import LinearOperator
from ..process import Transition
from .deterministic import deterministic_step
from .sampler import Noise, Past, Predict, Sampler

__all__ = ["AdamsSampler"]

#: Gauss and Legendre's three points in [0, 1] and their weights. None lies at an end, where the
#: integrand jumps if the noise falls to zero.
_POINTS = (0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5)
_WEIGHTS = (5 / 18, 8 / 18, 5 / 18)


@final
class AdamsSampler(Sampler):
    r"""Steps along a straight line of predictions, and again once the next prediction is known.

    By variation of constants :math:`x_s = \rho x_t + \sigma_s \int_t^s d(C_\tau / \sigma_\tau)\,
    \hat x_0(\tau)`. With the prediction a straight line in time, of slope g from t to s,

    .. math:: x_s = C_s \hat x_0 + \rho\, (x_t - C_t \hat x_0) + K g, \qquad
        K = (t - s) \left( C_s - \frac{1}{t - s} \int_s^t \frac{\sigma_s}{\sigma_\tau}
        C_\tau\, d\tau \right)

    K knows at which moment of the hop each mode of the image is revealed; in `MultistepSampler`
    all are revealed in its middle. The predictor takes g from the last two predictions
    (Adams-Bashforth), zero at the first step. After the network was called at the predicted
    state, the same hop is made again with g from its two ends (Adams-Moulton), and the next one
    starts from there. That costs no call. The last hop stays as predicted, and the image of
    `final="x0_hat"` is the prediction from there.

    Source: the multistep methods of ordinary differential equations, in predict-evaluate-correct
    mode; for diffusion models DEIS (Zhang and Chen 2023) and UniPC (Zhao et al. 2023), with the
    noise as the only corruption.
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
        return self._along(x_t, x0_hat, slope(past, x0_hat), hop)

    def correct(self, x_t: Tensor, x0_hat: Tensor, past: Past) -> Tensor:
        return self._along(past.x_t, past.x0_hat, slope(past, x0_hat), past.hop)

    def _along(self, x_t: Tensor, x0_hat: Tensor, g: Tensor, hop: Transition) -> Tensor:
        """The hop, with predictions on a line."""
        K = (hop.t - hop.s) * (hop.C_s - self._mean_operator(hop))
        return deterministic_step(x_t, x0_hat, hop) + K(g)

    def _mean_operator(self, hop: Transition) -> LinearOperator:
        r"""The mean of :math:`(\sigma_s / \sigma_\tau)\, C_\tau` over the hop."""
        rests = (self.process.transition(hop.s + u * (hop.t - hop.s), hop.s) for u in _POINTS)
        terms = (w * rest.rho * rest.C_t for w, rest in zip(_WEIGHTS, rests, strict=True))
        return reduce(add, terms)


def slope(past: Past, x0_hat: Tensor) -> Tensor:
    """The change of the prediction over the hop before, in a unit of time back to the image."""
    return (x0_hat - past.x0_hat) / (past.hop.t - past.hop.s)
