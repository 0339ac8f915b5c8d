"""Soft Diffusion."""

from ..arguments import checked
from ..corruptions import FadingMask, GaussianBlur
from ..denoisers import Residual
from ..objectives import SoftScoreMatching
from ..process import SoftDiffusion
from ..samplers import MomentumSampler
from ..schedules import geometric
from .preset import Preset, default_sampler

__all__ = ["soft_blur", "soft_mask"]

_SOURCE = "Daras et al. 2022, arXiv 2209.05442"


@checked
def soft_blur(
    blur: tuple[float, float] = (0.01, 23.0),
    sigma: tuple[float, float] = (0.02, 0.2),
    sigma_saturation: float = 0.25,
    steps: int = 280,
) -> Preset:
    """Soft Diffusion with Gaussian blur, for 64 pixels (CelebA).

    The paper's: soft score matching, the residual network, the momentum sampler, 280 calls for
    its best distance. As others report of the paper: blur from 0.01 to 23 pixels, noise from
    0.01 to 0.10 for images in [0, 1], twice that here, at its maximum from t = 0.25 on, and the
    weight of the loss.

    Source: Daras et al. 2022, Soft diffusion, Sections 3 to 5.

    Arguments:
        blur: First and last standard deviation of the blur, in pixels.
        sigma: First and last noise.
        sigma_saturation: The time from which the noise stays at its maximum.
        steps: The number of network calls.
    """
    process = SoftDiffusion(
        GaussianBlur(), geometric(blur, sigma, sigma_saturation=sigma_saturation)
    )
    return Preset(
        process=process,
        objective=SoftScoreMatching("1/sigma^2"),
        preconditioning=Residual(),
        sampler=default_sampler(MomentumSampler, process, steps=steps),
        source=_SOURCE,
        notes="Open in the paper and chosen here: mirrored borders, and blur levels that grow "
        "geometrically between the paper's ends; the paper selects them by the distances of "
        "neighbouring distributions, as sd.schedules.wasserstein does from data.",
    )


@checked
def soft_mask(
    hole: tuple[float, float] = (0.2, 128.0),
    sigma: tuple[float, float] = (0.02, 0.2),
    sigma_saturation: float = 0.25,
    steps: int = 280,
) -> Preset:
    """Soft Diffusion with a mask, for 64 pixels.

    Loss, network, sampler and noise are those of `soft_blur`; the mask is chosen here.

    Source: Daras et al. 2022, Soft diffusion, Section 5.

    Arguments:
        hole: First and last standard deviation of the hole, in pixels.
        sigma: First and last noise.
        sigma_saturation: The time from which the noise stays at its maximum.
        steps: The number of network calls.
    """
    process = SoftDiffusion(FadingMask(), geometric(hole, sigma, sigma_saturation=sigma_saturation))
    return Preset(
        process=process,
        objective=SoftScoreMatching("1/sigma^2"),
        preconditioning=Residual(),
        sampler=default_sampler(MomentumSampler, process, steps=steps),
        source=_SOURCE,
        notes="The paper leaves its masks open; chosen here: a hole without an edge, so that "
        "every pixel is trained at all times, which grows to twice the image's side.",
    )
