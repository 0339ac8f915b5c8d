"""The levels of DDPM, continued to all times."""

import torch
from torch import Tensor

from .curves import Curve

__all__ = ["DDPMAmplitudeLoss", "DDPMNoise"]


class DDPMAmplitudeLoss(Curve):
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

    def __init__(
        self, levels: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
    ) -> None:
        check_betas(levels, beta_start, beta_end)
        self.levels = levels
        self.beta_start = beta_start
        self.beta_end = beta_end

    def __call__(self, t: Tensor) -> Tensor:
        return -torch.expm1(log_amplitude(t, self.levels, self.beta_start, self.beta_end))


class DDPMNoise(Curve):
    r""":math:`\sqrt{1 - \alpha_t^2}`, the noise that goes with `DDPMAmplitudeLoss`.

    Arguments and errors are those of `DDPMAmplitudeLoss`.
    """

    def __init__(
        self, levels: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
    ) -> None:
        check_betas(levels, beta_start, beta_end)
        self.levels = levels
        self.beta_start = beta_start
        self.beta_end = beta_end

    def __call__(self, t: Tensor) -> Tensor:
        half = log_amplitude(t, self.levels, self.beta_start, self.beta_end)
        return (-torch.expm1(2 * half)).sqrt()


def check_betas(levels: int, beta_start: float, beta_end: float) -> None:
    """Raises unless the variances grow within (0, 1) over at least two levels."""
    if levels < 2:
        raise ValueError(f"DDPM needs at least 2 levels, not {levels}.")
    if not 0 < beta_start <= beta_end < 1:
        raise ValueError(
            "The variances of DDPM's steps grow within (0, 1), but should go from "
            f"{beta_start:g} to {beta_end:g}."
        )


def log_amplitude(t: Tensor, levels: int, beta_start: float, beta_end: float) -> Tensor:
    r"""Returns :math:`\log \alpha_t`."""
    betas = torch.linspace(beta_start, beta_end, levels, dtype=torch.float64)
    sums = torch.cat([betas.new_zeros(1), torch.log1p(-betas).cumsum(0) / 2]).to(t)
    position = t * levels
    left = position.floor().long().clamp(0, levels - 1)
    return torch.lerp(sums[left], sums[left + 1], position - left)
