"""The schedule: which severity and how much noise at which time."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import LARGEST
from .curves import Cosine, Curve, Geometric, Linear, Sine, Table, VPAmplitudeLoss, VPNoise

__all__ = ["Schedule", "cosine", "geometric", "linear", "tabulated", "vp"]

Range = tuple[float, float]


@checked
class Schedule:
    r"""A severity and a noise level for every time t in [0, 1].

    Arguments:
        severity: The severity of the corruption as a curve, non-decreasing, >= 0.
        sigma: The standard deviation of the noise as a curve, non-decreasing, >= 0, for images
            in [-1, 1].

    Raises:
        ValueError: If a curve decreases, is negative, not finite or above 1e9; the message says
            where.
    """

    def __init__(self, severity: Curve, sigma: Curve) -> None:
        t = torch.linspace(0, 1, 1001, dtype=torch.float64)
        for name, curve in (("severity", severity), ("sigma", sigma)):
            values = curve(t)
            wrong = values[~((values >= 0) & (values <= LARGEST))]
            if len(wrong):
                raise ValueError(
                    f"A schedule's {name} must be finite and >= 0, at most {LARGEST:g}, but "
                    f"reaches {wrong[0].item():g}."
                )
            falls = (values.diff() < 0).nonzero()
            if len(falls):
                raise ValueError(
                    f"A schedule's {name} must not decrease with t, but it falls after "
                    f"t = {t[falls[0, 0]]:.3f}; give the clean end first."
                )
        self.severity = severity
        self.sigma = sigma
        self._starts_from_zero = bool(severity(t[0]) + sigma(t[0]) == 0)

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns severity and sigma at the times `t`, in its shape."""
        return self.severity(t), self.sigma(t)

    def clock(self, t: Tensor) -> Tensor:
        r"""Returns the variable in which predictions change evenly, at the times `t`.

        It is :math:`\log(\text{severity} + \sigma)` where both start from zero, since there each
        hop towards the image changes them by a factor (minus infinity at t = 0). Elsewhere it is
        the time itself, which the schedule has already spread over its levels. Source: the studies
        of clocks, `studies/multistep` and `studies/schedule`.
        """
        return (self.severity(t) + self.sigma(t)).log() if self._starts_from_zero else t


@checked
def geometric(
    severity: Range, sigma: Range, saturation: float = 1.0, sigma_saturation: float | None = None
) -> Schedule:
    """Severity and noise that both grow by the same factor in equal times.

    Arguments:
        severity: First and last severity, both > 0.
        sigma: First and last noise level, both > 0.
        saturation: The time from which the severity stays at its last value.
        sigma_saturation: The same for the noise; Soft Diffusion uses about 0.25. The default is
            `saturation`.
    """
    noise_saturation = saturation if sigma_saturation is None else sigma_saturation
    return Schedule(Geometric(*severity, saturation), Geometric(*sigma, noise_saturation))


@checked
def linear(severity: Range, sigma: Range) -> Schedule:
    """Straight lines; with `Scaling` and (0, 1) for both it is rectified flow."""
    return Schedule(Linear(*severity), Linear(*sigma))


def cosine() -> Schedule:
    r"""With `Scaling`, :math:`\alpha = \cos(\pi t/2)` and :math:`\sigma = \sin(\pi t/2)`."""
    return Schedule(Cosine(0.0, 1.0), Sine(0.0, 1.0))


@checked
def vp(beta_0: float = 0.1, beta_1: float = 20.0) -> Schedule:
    """The schedule of the VP-SDE (Song et al. 2021), for `Scaling`."""
    return Schedule(VPAmplitudeLoss(beta_0, beta_1), VPNoise(beta_0, beta_1))


@checked
def tabulated(severity: Sequence[float], sigma: Sequence[float]) -> Schedule:
    """Values at equally spaced times, with straight lines between them."""
    return Schedule(Table(severity), Table(sigma))
