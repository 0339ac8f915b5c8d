"""The levels of DDPM, continued to all times."""

from abc import ABC
from typing import final

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_count
from .curves import Curve

__all__ = ["DDPMAmplitudeLoss", "DDPMNoise"]


@checked
class DDPMCurve(Curve, ABC):
    """What follows from the variances of DDPM's steps."""

    def __init__(
        self, levels: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
    ) -> None:
        if levels < 2:
            raise ValueError(f"DDPM needs at least 2 levels, not {levels}.")
        check_count("The number of DDPM's levels", levels, 2, 1_000_000)
        if not 0 < beta_start <= beta_end < 1:
            raise ValueError(
                "The variances of DDPM's steps grow within (0, 1), but should go from "
                f"{beta_start:g} to {beta_end:g}."
            )
        self.levels = levels
        self.beta_start = beta_start
        self.beta_end = beta_end

    def log_amplitude(self, t: Tensor) -> Tensor:
        r"""Returns :math:`\log \alpha_t`."""
        betas = torch.linspace(self.beta_start, self.beta_end, self.levels, dtype=torch.float64)
        sums = torch.cat([betas.new_zeros(1), torch.log1p(-betas).cumsum(0) / 2]).to(t)
        position = t * self.levels
        left = position.floor().long().clamp(0, self.levels - 1)
        return torch.lerp(sums[left], sums[left + 1], position - left)


@final
class DDPMAmplitudeLoss(DDPMCurve):
    r"""The share :math:`1 - \alpha_t` of the amplitude that DDPM has removed at a time.

    .. math:: \alpha_{k/N}^2 = \prod_{i=1}^{k} (1 - \beta_i), \qquad
        \beta_i = \beta_1 + \frac{i - 1}{N - 1} (\beta_N - \beta_1)

    at the N levels, and :math:`\log \alpha_t` is linear between them. Level k here is the
    timestep k - 1 of implementations that count from 0, and level 0 the clean image.

    Source: Ho et al. 2020, Section 4.

    Arguments:
        levels: The number N of levels, >= 2.
        beta_start: The variance :math:`\beta_1` of the first step.
        beta_end: The variance :math:`\beta_N` of the last step.

    Raises:
        ValueError: If there are fewer than two levels, or not 0 < beta_start <= beta_end < 1.
    """

    def __call__(self, t: Tensor) -> Tensor:
        return -torch.expm1(self.log_amplitude(t))


@final
class DDPMNoise(DDPMCurve):
    r""":math:`\sqrt{1 - \alpha_t^2}`, the noise that goes with `DDPMAmplitudeLoss`.

    Arguments and errors are those of `DDPMAmplitudeLoss`.
    """

    def __call__(self, t: Tensor) -> Tensor:
        return (-torch.expm1(2 * self.log_amplitude(t))).sqrt()
