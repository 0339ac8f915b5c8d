"""The noise levels of Karras et al."""

from torch import Tensor

from ..arguments import checked
from ..checks import SMALLEST, check_range
from .curves import Curve

__all__ = ["Karras"]


@checked
class Karras(Curve):
    r"""Noise levels whose roots are equally spaced, denser where there is little noise.

    .. math:: \sigma_t = \left( a^{1/\rho} + t\, (b^{1/\rho} - a^{1/\rho}) \right)^\rho

    Equally spaced times are the time steps of Karras et al. 2022, Eq. 5.

    Arguments:
        sigma_min: The noise a at t = 0, >= 1e-9.
        sigma_max: The noise b at t = 1, >= a.
        rho: The exponent, in [0.01, 1000]; the larger, the more of the time has little noise.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> None:
        if not SMALLEST <= sigma_min <= sigma_max or not rho > 0:
            raise ValueError(
                "The noise levels need 0 < sigma_min <= sigma_max and rho > 0, but are "
                f"{sigma_min:g}, {sigma_max:g} and {rho:g}."
            )
        check_range("The exponent rho of Karras", rho, 0.01, 1000.0)
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.rho = rho

    def __call__(self, t: Tensor) -> Tensor:
        # In units of the largest, since no power of a number in [0, 1] is too large.
        low = (self.sigma_min / self.sigma_max) ** (1 / self.rho)
        share = ((low + t * (1 - low)) ** self.rho).clamp(max=1)
        return (self.sigma_max * share).clamp(min=self.sigma_min)
