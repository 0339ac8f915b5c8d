"""Scale Space Diffusion."""

from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_count
from ..corruptions import Corruption, Pixelate
from ..denoisers import CleanPrediction
from ..objectives import LookAhead
from ..operators import Haar, LinearOperator, Scale
from ..process import SoftDiffusion
from ..samplers import AncestralSampler
from ..schedules import DDPMAmplitudeLoss, DDPMNoise, Linear, Schedule
from .preset import Preset, default_sampler

__all__ = ["ScaleSpace", "scale_space"]


@checked
def scale_space(
    resolutions: int = 4,
    decay: float = 0.5,
    levels: int = 1000,
    beta_start: float = 1e-4,
    beta_end: float = 0.02,
    steps: int = 1000,
) -> Preset:
    r"""Scale Space Diffusion: DDPM on an image that loses its resolution, :math:`C_t = \alpha_t D`.

    The paper's: DDPM's noise, the resolutions and their schedule ("ConvexDecay 0.5"; it has the
    best distance with 2 resolutions and the least work with more), a network that predicts the
    clean image at the resolution of the next level, and the ancestral sampler.

    Source: Mukhopadhyay et al. 2026, Scale space diffusion, Sections 4 and 8.3, and its code.

    Arguments:
        resolutions: The number of resolutions, each half of the one before.
        decay: The exponent of the schedule of resolutions; the smaller, the longer the full one.
        levels: The number of DDPM's levels.
        beta_start: The variance of DDPM's first step.
        beta_end: The variance of DDPM's last step.
        steps: The number of network calls.
    """
    process = SoftDiffusion(
        ScaleSpace(resolutions, decay, levels, beta_start, beta_end),
        Schedule(Linear(0.0, 1.0), DDPMNoise(levels, beta_start, beta_end)),
    )
    return Preset(
        process=process,
        objective=LookAhead(levels),
        preconditioning=CleanPrediction(),
        sampler=default_sampler(AncestralSampler, process, steps=steps),
        source="Mukhopadhyay et al. 2026, arXiv 2603.08709",
        notes="States keep the full size: resolution falls by averages over blocks instead of a "
        "bilinear filter and fewer pixels, so that blocks of n pixels have 1/n of the noise "
        "variance of the paper's small images, and no work is saved. The weight of the loss is "
        "alpha^2 of the next level; in the paper it is the signal-to-noise ratio, at most 5.",
    )


@checked
class ScaleSpace(Corruption):
    r"""Fades the image as DDPM does, and halves its resolution now and then.

    .. math:: C = \alpha_u\, D^{l(u)}, \qquad
        l(u) = \min \left( \lfloor n\, (1 - (1 - \tau)^\gamma) \rfloor,\, n - 1 \right), \qquad
        \tau = \max \left( \frac{N u - 1}{N - 1},\, 0 \right)

    with D the average over blocks of twice the side (see `Pixelate`), applied l times. The
    severity u is the share of DDPM's N levels that the image has passed; what remains at 1 is
    :math:`\alpha_1` of the smallest resolution.

    Details that reappear between two levels have no weight in `SoftScoreMatching`, as in
    `Pixelate`.

    Source: Mukhopadhyay et al. 2026, Section 8.3 and its code.

    Arguments:
        resolutions: The number n of resolutions, >= 1.
        decay: The exponent :math:`\gamma`, > 0.
        levels: The number N of DDPM's levels.
        beta_start: The variance of DDPM's first step.
        beta_end: The variance of DDPM's last step.

    Raises:
        ValueError: If an argument is out of range.
    """

    unit: ClassVar[str] = "share of DDPM's levels"
    max_severity = 1.0
    transform = Haar()

    def __init__(
        self,
        resolutions: int = 4,
        decay: float = 0.5,
        levels: int = 1000,
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
    ) -> None:
        if resolutions < 1 or not decay > 0:
            raise ValueError(
                "There must be at least 1 resolution and a decay > 0, but there are "
                f"{resolutions} and {decay:g}."
            )
        check_count("The number of resolutions", resolutions, 1, 64)
        self.resolutions = resolutions
        self.decay = decay
        self.levels = levels
        self.beta_start = beta_start
        self.beta_end = beta_end
        self._amplitude_loss = DDPMAmplitudeLoss(levels, beta_start, beta_end)

    def operator(self, severity: Tensor) -> LinearOperator:
        tau = ((severity * self.levels - 1) / (self.levels - 1)).clamp(min=0)
        passed = torch.floor(self.resolutions * (1 - (1 - tau).clamp(min=0) ** self.decay))
        alpha = Scale(1 - self._amplitude_loss(severity))
        return alpha @ Pixelate().operator(passed.clamp(max=self.resolutions - 1))
