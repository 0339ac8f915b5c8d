"""This library's own."""

from typing import Any

from ..arguments import checked
from ..checks import SMALLEST, check_count
from ..corruptions import Composition, GaussianBlur, Scaling
from ..denoisers import BaseDenoiser, ScaledResidual
from ..objectives import StepMatched
from ..process import SoftDiffusion
from ..samplers import MultistepSampler, Sampler
from ..schedules import linear
from .preset import Preset

__all__ = ["blurred_flow"]


@checked
def blurred_flow(blur_max: float = 3.0, end: float = 1.0, steps: int = 10) -> Preset:
    r"""Rectified flow with blur: :math:`C_t = (1 - t)\, G_{t b}`, :math:`\sigma_t = t`.

    While the image fades into the noise, a Gaussian blur that grows to b pixels takes its details
    first, so that the reverse paints from coarse to fine. The loss is step-matched for N = 10; the
    network predicts the residual in units of the noise. Without blur, path and prediction are
    rectified flow's, and so is the loss from t = 1 / N on, up to the factor :math:`N^2`. The
    sampler is `MultistepSampler`, and the times of more than ten calls are shifted by a tenth of
    their number.

    The path may end before the image is gone, at t = `end`; times are counted from there, so that
    t is end times t in the formulas. What is left of the image is so faint and smooth that a
    mixture of Gaussians, fitted as the prior, stands for it, and no network call is spent on it.
    On the whole path the blur is ahead of none; on one that ends at 0.7 it ties with none
    (`studies/headline`).

    Source: the studies of corruptions, `studies/corruption`, and of blur and end,
    `studies/blurred-flow`. Truncated paths: Zheng et al. 2022, arXiv 2202.09671, with a learned
    start.

    Arguments:
        blur_max: The standard deviation b of the blur at the end of the whole path, in pixels.
            3 px are for images of 16 (1 px ties there, 6 px are worse); give larger ones as large
            a share of their side.
        end: Where the path ends, in (0, 1]. Below 1 the start is no longer noise alone.
        steps: The number of network calls.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_count("The number of network calls", steps, 1, 1_000_000)
    if not SMALLEST <= end <= 1:
        raise ValueError(f"The path must end within (0, 1], but end is {end:g}.")
    corruption = Composition([GaussianBlur(), Scaling()], [blur_max, 1.0])
    process = SoftDiffusion(corruption, linear((0.0, end), (0.0, end)))

    def sampler(denoiser: BaseDenoiser, *, steps: int = steps, **options: Any) -> Sampler:
        # The last of many steps stay a tenth long, as the loss is matched to them.
        shift = max(1.0, steps / 10)
        return MultistepSampler(process, denoiser, steps=steps, **{"shift": shift, **options})

    return Preset(
        process=process,
        objective=StepMatched(10),
        preconditioning=ScaledResidual(),
        sampler=sampler,
        source="this library, on the path of Liu et al. 2023, arXiv 2209.03003",
        notes="Measured at 16 pixels in studies/corruption, at 28 in studies/fashion-mnist.",
    )
