"""The time of the process at which an image is as degraded as given."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..checks import check_range, per_sample
from ..process import SoftDiffusion

__all__ = ["level_noise", "start_time", "top_up"]

#: Severities and noise levels that agree to this share are equal.
_ROUNDING = 1e-6

#: Halvings of [0, 1], down to the precision of the numbers.
_HALVINGS = 60

Curve = Callable[[Tensor], Tensor]


def start_time(
    process: SoftDiffusion, severity: float | Tensor, sigma_y: float | Tensor = 0.0
) -> Tensor:
    r"""Finds the earliest t with the image's severity and at least its noise.

    Both curves of the schedule are monotone, so bisection finds it. Noise that the image lacks is
    added by `top_up`. Where the schedule stays at one severity, t is moved on until there is
    enough noise.

    Arguments:
        process: The process whose corruption degraded the image.
        severity: The severity, or one an image, (B,), in the schedule's range.
        sigma_y: The standard deviation of the noise in the images, >= 0, or one an image.

    Returns:
        The time, or one an image, float64.

    Raises:
        ValueError: If the schedule does not reach the severity, starts beyond it, or has less
            noise there than the images.
    """
    sigma = process.schedule.sigma
    earliest, latest = _times(process, severity)
    noise = check_range("The noise sigma_y", sigma_y, 0.0, torch.inf).cpu().double()
    earliest, latest, noise = torch.broadcast_tensors(earliest, latest, noise)
    t = torch.maximum(earliest, _first(sigma, noise * (1 - _ROUNDING)))
    wrong = (t > latest) | (sigma(t) < noise * (1 - _ROUNDING))
    if wrong.any():
        level = process.schedule.severity(latest[wrong])[0]
        raise ValueError(
            f"The image has noise of {noise[wrong][0]:g}, but the process has only "
            f"{sigma(latest[wrong])[0]:.3g} at severity {level:.3g}; restore it by "
            "its operator instead of its severity: route='operator'."
        )
    return t


def level_noise(process: SoftDiffusion, severity: float | Tensor) -> tuple[Tensor, Tensor]:
    """The least and the most noise that the process has at a severity, or at one an image.

    Raises:
        ValueError: If the schedule does not reach the severity, or starts beyond it.
    """
    earliest, latest = _times(process, severity)
    return process.schedule.sigma(earliest), process.schedule.sigma(latest)


def _times(process: SoftDiffusion, severity: float | Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last time at which the process has a severity, or one an image."""
    curve = process.schedule.severity
    low, high = curve(torch.tensor([0.0, 1.0], dtype=torch.float64))
    severity = torch.as_tensor(severity, dtype=torch.float64, device="cpu")
    slack = _ROUNDING * (severity.abs() + _ROUNDING * high)
    inside = severity.clamp(low, high)
    severity = torch.where((severity - inside).abs() <= slack, inside, severity)
    name = f"The severity ({process.corruption.unit}) of an image that this process can restore"
    check_range(name, severity, float(low), float(high))
    return _first(curve, severity - slack), _last(curve, severity + slack)


def top_up(
    process: SoftDiffusion, y: Tensor, t: Tensor, sigma_y: float | Tensor, noise: Tensor
) -> Tensor:
    r"""Returns :math:`y + \sqrt{\sigma_t^2 - \sigma_y^2}\, \eta`, with all the noise of its level.

    Arguments:
        process: The process.
        y: The images, (B, C, ...).
        t: Their time, or one an image (see `start_time`).
        sigma_y: The noise that they have, or one an image.
        noise: :math:`\eta`, in their shape.
    """
    lacking = (process.sigma(t) ** 2 - sigma_y**2).clamp(min=0).sqrt()
    return y + (per_sample(lacking, y) * noise).to(y.dtype)


def _first(curve: Curve, value: Tensor) -> Tensor:
    """The first t at which a non-decreasing curve is at least `value`; 1 if it never is."""
    low, high = torch.zeros_like(value), torch.ones_like(value)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = curve(middle) >= value
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return torch.where(curve(torch.zeros_like(value)) >= value, 0.0, high)


def _last(curve: Curve, value: Tensor) -> Tensor:
    """The last t at which a non-decreasing curve is at most `value`; 0 if it never is."""
    low, high = torch.zeros_like(value), torch.ones_like(value)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        within = curve(middle) <= value
        low, high = torch.where(within, middle, low), torch.where(within, high, middle)
    return torch.where(curve(torch.ones_like(value)) <= value, 1.0, low)
