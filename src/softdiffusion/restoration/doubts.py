"""What speaks against a restoration, each in one sentence with its numbers."""

import math

import torch
from torch import Tensor

from ..process import SoftDiffusion
from .severity import Estimate

__all__ = [
    "ROUNDING",
    "against_noise",
    "against_residuals",
    "against_restoring",
    "against_topping_up",
    "contradicts",
]

#: The noise of rounding to 8 bits, for images in [-1, 1]; below it nothing is told apart.
ROUNDING = 2 / 255 / math.sqrt(12)

#: Noise and residuals that agree to this factor do not contradict each other: a network's samples
#: explain images a little better or worse than exact ones, by 0.65 to 1.1 in studies/restoration.
_FACTOR = 2.0

#: About where the last step of a sampler ends.
_END = 0.05

#: Standard errors within which chance keeps a mean square.
_ERRORS = 4.0


def against_topping_up(
    sigma_y: Tensor, sigma_t: Tensor, cost: Tensor | None, remedy: str
) -> list[str]:
    """Says that raising the noise of images to that of their levels costs much.

    Arguments:
        sigma_y: The noise of every image, (B,).
        sigma_t: The noise of its level, (B,).
        cost: What is lost in dB by the data's spectrum, (B,); None where that is unknown.
        remedy: What to do.
    """
    worst = int((sigma_y / sigma_t).argmin())
    lost = (
        "hides detail"
        if cost is None
        else (f"costs up to {cost.max():.1f} dB by the data's spectrum")
    )
    return [
        f"{_images(len(sigma_y))} noise of {sigma_y[worst]:.2g} that is raised to the "
        f"{sigma_t[worst]:.2g} of the model's level, which {lost}; {remedy}."
    ]


def contradicts(stated: Tensor, found: Estimate) -> Tensor:
    """Where images have another noise than was stated, (B,).

    Arguments:
        stated: The noise that was stated, (B,).
        found: What the images show.
    """
    stated = stated.clamp(min=ROUNDING)
    return (_FACTOR * stated < found.low) | (stated > _FACTOR * found.high)


def against_noise(stated: Tensor, found: Estimate) -> list[str]:
    """Says where images have another noise than was stated; the arguments of `contradicts`."""
    wrong = contradicts(stated, found)
    if not wrong.any():
        return []
    k = int(wrong.nonzero()[0])
    return [
        f"{_images(int(wrong.sum()))} another noise than sigma_y {stated[k]:.2g}: by the data's "
        f"spectrum it is about {found.mean[k]:.2g}, 95 % in [{found.low[k]:.2g}, "
        f"{found.high[k]:.2g}]; leave sigma_y out, and it is estimated."
    ]


def against_restoring(severity: Estimate, least: float) -> list[str]:
    """Says where images may hardly be degraded: then a restoration by too large a severity harms.

    Arguments:
        severity: The estimated severities.
        least: The smallest severity that the model knows.
    """
    mild = severity.low <= least
    if not mild.any():
        return []
    k = int(mild.nonzero()[0])
    return [
        f"{_images(int(mild.sum()))} a severity that may be as small as any that the model knows "
        f"({severity.mean[k]:.2g}, 95 % in [{severity.low[k]:.2g}, {severity.high[k]:.2g}]), so "
        "that the image itself may be nearer to its original than what is made of it; compare the "
        "two, or give the severity."
    ]


def against_residuals(
    process: SoftDiffusion, residual: Tensor, sigma_y: Tensor, sigma_t: Tensor, values: int
) -> list[str]:
    r"""Says where :math:`A x - y` is not what the noise explains.

    Samples of the posterior miss y as the noise does, by a root mean square of :math:`\sigma_y`;
    those of an image that was topped up to :math:`\sigma_t` by at most
    :math:`\sigma_t + \sqrt{\sigma_t^2 - \sigma_y^2}`. The last prediction of a sampler is a mean,
    which takes away as much noise as there is at its end, so that a small residual says nothing of
    noise below that. Over n values chance moves a mean square by :math:`\sqrt{2 / n}`.

    Arguments:
        process: The model's process.
        residual: The root mean squares, (S, B).
        sigma_y: The noise of every image, (B,).
        sigma_t: The noise that it was restored from, (B,), >= sigma_y.
        values: The number n of values in a measurement.
    """
    found = residual.square().mean(dim=0).sqrt().cpu().double()
    noise = sigma_y.clamp(min=ROUNDING)
    most = torch.maximum(sigma_t, noise)
    most = most + (most**2 - noise**2).sqrt()
    chance = _ERRORS * math.sqrt(2 / values)
    high = _FACTOR * math.sqrt(1 + chance) * most
    low = math.sqrt(max(0.0, 1 - chance)) / _FACTOR * sigma_y
    low = torch.where(sigma_y > _FACTOR * process.sigma(_END), low, 0.0)
    wrong = (sigma_t > 0) & ((found > high) | (found < low))
    if not wrong.any():
        return []
    k = int(wrong.nonzero()[0])
    side = "more" if found[k] > high[k] else "less"
    reason = "severity, operator or sigma_y is another" if side == "more" else "sigma_y is smaller"
    return [
        f"{_images(int(wrong.sum()))} a residual that contradicts sigma_y: the root mean square of "
        f"A x - y is {found[k]:.2g}, {side} than the noise of {sigma_y[k]:.2g} explains "
        f"([{low[k]:.2g}, {high[k]:.2g}]), so that {reason}."
    ]


def _images(count: int) -> str:
    return "1 image has" if count == 1 else f"{count} images have"
