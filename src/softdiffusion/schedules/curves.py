"""Functions of the time t in [0, 1], from which schedules are put together."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import SMALLEST, check_range

__all__ = [
    "Constant",
    "Cosine",
    "Curve",
    "Geometric",
    "Linear",
    "Sine",
    "Table",
    "VPAmplitudeLoss",
    "VPNoise",
]


class Curve(ABC):
    """A non-decreasing function of the time, from its value at t = 0 to its value at t = 1."""

    @abstractmethod
    def __call__(self, t: Tensor) -> Tensor:
        """Returns the value at each time, in the shape and dtype of `t`."""


@checked
class Constant(Curve):
    """The same value at all times."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, t: Tensor) -> Tensor:
        return torch.full_like(t, self.value)


@checked
class Linear(Curve):
    r""":math:`a + \min(t / u, 1) (b - a)`, at its last value from the saturation time u on.

    Arguments:
        start: The value a at t = 0.
        end: The value b.
        saturation: The time u in (0, 1] at which b is reached.

    Raises:
        ValueError: If the saturation lies outside (0, 1].
    """

    def __init__(self, start: float, end: float, saturation: float = 1.0) -> None:
        _check_saturation(saturation)
        self.start = start
        self.end = end
        self.saturation = saturation

    def __call__(self, t: Tensor) -> Tensor:
        return self.start + (t / self.saturation).clamp(max=1) * (self.end - self.start)


@checked
class Geometric(Curve):
    r""":math:`a\, (b / a)^{\min(t / u, 1)}`, at its maximum from the saturation time u on.

    Arguments:
        start: The value a at t = 0, >= 1e-9.
        end: The value b, >= a.
        saturation: The time u in (0, 1] at which b is reached; Soft Diffusion's noise uses
            about 0.25.

    Raises:
        ValueError: If the start is not above zero, the end lies below it, or the saturation
            lies outside (0, 1].
    """

    def __init__(self, start: float, end: float, saturation: float = 1.0) -> None:
        if not SMALLEST <= start <= end:
            raise ValueError(
                "A geometric curve starts above zero and does not fall, but should go from "
                f"{start:g} to {end:g}; give the clean end first, or use a linear curve from zero."
            )
        _check_saturation(saturation)
        self.start = start
        self.end = end
        self.saturation = saturation

    def __call__(self, t: Tensor) -> Tensor:
        # Counted from the end, which may be a corruption's largest severity: never beyond it.
        return self.end * (self.start / self.end) ** (1 - (t / self.saturation).clamp(max=1))


@checked
class Cosine(Curve):
    r""":math:`a + (b - a)(1 - \cos(\pi t / 2))`, slow at first."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end

    def __call__(self, t: Tensor) -> Tensor:
        return self.start + (self.end - self.start) * (1 - torch.cos(math.pi / 2 * t))


@checked
class Sine(Curve):
    r""":math:`a + (b - a) \sin(\pi t / 2)`, slow at last."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end

    def __call__(self, t: Tensor) -> Tensor:
        return self.start + (self.end - self.start) * torch.sin(math.pi / 2 * t)


@checked
class VPAmplitudeLoss(Curve):
    r"""The share :math:`1 - \alpha_t` of the amplitude that is lost.

    .. math:: \log \alpha_t = -\tfrac14 t^2 (\beta_1 - \beta_0) - \tfrac12 t \beta_0

    Source: the VP-SDE of Song et al. 2021, Eq. 33.

    Arguments:
        beta_0: The rate at t = 0, >= 0.
        beta_1: The rate at t = 1, >= 0.

    Raises:
        ValueError: If a rate is negative.
    """

    def __init__(self, beta_0: float = 0.1, beta_1: float = 20.0) -> None:
        _check_betas(beta_0, beta_1)
        self.beta_0 = beta_0
        self.beta_1 = beta_1

    def __call__(self, t: Tensor) -> Tensor:
        return -torch.expm1(_vp_log_amplitude(t, self.beta_0, self.beta_1))


@checked
class VPNoise(Curve):
    r""":math:`\sqrt{1 - \alpha_t^2}`, the noise that goes with `VPAmplitudeLoss`.

    Arguments and errors are those of `VPAmplitudeLoss`.
    """

    def __init__(self, beta_0: float = 0.1, beta_1: float = 20.0) -> None:
        _check_betas(beta_0, beta_1)
        self.beta_0 = beta_0
        self.beta_1 = beta_1

    def __call__(self, t: Tensor) -> Tensor:
        return (-torch.expm1(2 * _vp_log_amplitude(t, self.beta_0, self.beta_1))).sqrt()


@checked
class Table(Curve):
    """Values at equally spaced times from 0 to 1, with straight lines between them.

    Arguments:
        values: At least two numbers that do not decrease.

    Raises:
        ValueError: If there are fewer than two, one is not finite, or they decrease.
    """

    def __init__(self, values: Sequence[float]) -> None:
        values = [float(value) for value in values]
        if len(values) < 2:
            raise ValueError(f"A table needs at least two values, but has {len(values)}.")
        if not all(map(math.isfinite, values)) or any(
            b < a for a, b in zip(values, values[1:], strict=False)
        ):
            raise ValueError(
                f"The values of a table must be finite and not decrease, but are {values}."
            )
        self.values = values

    def __call__(self, t: Tensor) -> Tensor:
        knots = torch.tensor(self.values, dtype=t.dtype, device=t.device)
        position = t * (len(knots) - 1)
        left = position.floor().long().clamp(0, len(knots) - 2)
        return torch.lerp(knots[left], knots[left + 1], position - left)


def _check_saturation(saturation: float) -> None:
    if not SMALLEST <= saturation <= 1:
        raise ValueError(f"The saturation time must be in (0, 1], but is {saturation:g}.")


def _check_betas(beta_0: float, beta_1: float) -> None:
    check_range("The rate beta_0 of a VP schedule", beta_0, 0.0, math.inf)
    check_range("The rate beta_1 of a VP schedule", beta_1, 0.0, math.inf)


def _vp_log_amplitude(t: Tensor, beta_0: float, beta_1: float) -> Tensor:
    return -0.25 * t**2 * (beta_1 - beta_0) - 0.5 * t * beta_0
