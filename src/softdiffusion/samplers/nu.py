"""The family between the deterministic sampler and the bridge."""

from collections.abc import Sequence
from typing import final

from torch import Tensor

from ..arguments import checked
from ..denoisers import BaseDenoiser
from ..process import SoftDiffusion, Transition
from .sampler import Final, Noise, Sampler

__all__ = ["NuSampler"]


@checked
@final
class NuSampler(Sampler):
    r"""Draws a share of the noise anew: nu = 0 is the deterministic sampler, nu = 1 the bridge.

    .. math:: \tau = \nu\, \sigma_s \sqrt{1 - \rho^2}, \qquad
        A = \sqrt{\sigma_s^2 - \tau^2} / \sigma_t, \qquad v = \tau^2

    Given :math:`\hat x_0 = x_0` every member is exact. It carries the eta-family of DDIM (Song et
    al. 2021) over to any linear corruption.

    Arguments:
        nu: The share, in [0, 1].

    The other arguments are those of `Sampler`.

    Raises:
        ValueError: If `nu` lies outside [0, 1].
    """

    def __init__(
        self,
        process: SoftDiffusion,
        denoiser: BaseDenoiser,
        *,
        nu: float,
        steps: int = 100,
        shift: float = 1.0,
        times: Sequence[float] | None = None,
        final: Final = "x0_hat",
        clip: tuple[float, float] | None = None,
        progress: bool = False,
    ) -> None:
        if not 0 <= nu <= 1:
            raise ValueError(f"nu must be in [0, 1], but is {nu:g}.")
        super().__init__(
            process,
            denoiser,
            steps=steps,
            shift=shift,
            times=times,
            final=final,
            clip=clip,
            progress=progress,
        )
        self.nu = nu

    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        tau = self.nu * hop.sigma_s * (1 - hop.rho**2).sqrt()
        # sqrt(sigma_s^2 - tau^2) / sigma_t, without dividing by a sigma_t that may be zero
        A = hop.rho * (1 - self.nu**2 * (1 - hop.rho**2)).sqrt()
        mean = (hop.C_s - A * hop.C_t)(x0_hat) + A * x_t
        return mean if tau == 0 else mean + tau * noise()
