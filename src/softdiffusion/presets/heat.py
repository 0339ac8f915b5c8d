"""Methods built on the heat equation."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import SMALLEST, check_count, check_range
from ..corruptions import Corruption, HeatKernel
from ..denoisers import BaseDenoiser, Residual
from ..objectives import LookAhead, SoftScoreMatching
from ..operators import DCT, LinearOperator, Scale, identity
from ..process import SoftDiffusion
from ..samplers import AncestralSampler, NaiveSampler, Sampler
from ..samplers.sampler import Final, spaced
from ..schedules import Constant, Curve, Linear, Schedule, Table
from .preset import Preset, default_sampler

__all__ = ["BlurringKernel", "BlurringNoise", "blurring", "inverse_heat"]


@checked
def inverse_heat(
    blur_min: float = 0.5,
    blur_max: float = 20.0,
    levels: int = 100,
    sigma: float = 0.02,
    delta: float = 0.025,
) -> Preset:
    r"""Inverse heat dissipation: a heat kernel in K levels, little noise, and more when sampling.

    .. math:: \tau_0 = 0, \qquad \tau_k = \tfrac12 \left( b_1 (b_K / b_1)^{(k-1)/(K-1)} \right)^2

    at the times t = k / K. The paper's: all numbers, those of 28 pixels (MNIST; for 32, CIFAR-10,
    it takes blur up to 24 and 200 levels), the noise 0.01 of the training and 0.0125 of the
    sampler for images in [0, 1], twice that here, and the loss, the mean square error of the
    image at the next level.

    Source: Rissanen et al. 2023, Generative modelling with inverse heat dissipation, Section 3,
    and its code.

    Arguments:
        blur_min: The standard deviation :math:`b_1` of the first blur, in pixels.
        blur_max: The standard deviation :math:`b_K` of the last blur, in pixels, up to 10,000.
        levels: The number K of levels, up to 10,000.
        sigma: The noise of the training.
        delta: The noise that the sampler adds.

    Raises:
        ValueError: If there are fewer than two levels, or the blurs do not ascend from above 0.
    """
    if levels < 2 or not 0 < blur_min < blur_max:
        raise ValueError(
            "Inverse heat dissipation needs at least 2 levels of blurs that ascend from above 0, "
            f"but has {levels} from {blur_min:g} to {blur_max:g} pixels."
        )
    check_count("The number of levels", levels, 2, 10_000)
    check_range("The first blur", blur_min, SMALLEST, 1e4)
    check_range("The last blur", blur_max, SMALLEST, 1e4)
    exponents = [k / (levels - 1) for k in range(levels)]
    blurs = [blur_min * (blur_max / blur_min) ** exponent for exponent in exponents]
    severity = Table([0.0, *(blur**2 / 2 for blur in blurs)])
    sampled = SoftDiffusion(HeatKernel(), Schedule(severity, Constant(delta)))

    @checked
    def sampler(
        denoiser: BaseDenoiser,
        *,
        steps: int = levels,
        shift: float = 1.0,
        times: Sequence[float] | None = None,
        final: Final = "x0_hat",
        **options: Any,
    ) -> Sampler:
        if times is None and 1 <= steps <= 1_000_000:  # others are refused below
            times = spaced(1 / steps, steps, shift) + [0.0] * (final == "sigma_min")
        return NaiveSampler(
            sampled, denoiser, steps=steps, shift=shift, times=times, final=final, **options
        )

    return Preset(
        process=SoftDiffusion(HeatKernel(), Schedule(severity, Constant(sigma))),
        objective=LookAhead(levels),
        preconditioning=Residual(),
        sampler=sampler,
        source="Rissanen et al. 2023, arXiv 2206.13397",
        notes="The network predicts the clean image, which is then blurred to the next level; in "
        "the paper it predicts that level. Times between the levels are trained, too. The paper "
        "starts from blurred training images; here a fitted prior does without them.",
    )


@checked
def blurring(
    blur_max: float = 20.0, floor: float = 0.001, logsnr: float = 10.0, steps: int = 1000
) -> Preset:
    r"""Blurring Diffusion: :math:`\alpha_t` times a heat kernel with a floor, and VP noise.

    The paper's: the kernel of `BlurringKernel` with its floor, blur of up to 20 pixels, the cosine
    noise schedule between log-SNR of 10 and -10, the mean square error of the noise, which is soft
    score matching with weight 1 / sigma^2, and the ancestral sampler down to t = 0.

    Source: Hoogeboom and Salimans 2023, Blurring diffusion models, Sections 3 and 4 and Appendix A.

    Arguments:
        blur_max: The standard deviation of the blur at t = 1, in pixels.
        floor: The share of the amplitude that is kept of every frequency.
        logsnr: The logarithm of alpha^2 / sigma^2 at t = 0, and minus that at t = 1.
        steps: The number of network calls.
    """
    kernel = BlurringKernel(blur_max, floor, logsnr)
    process = SoftDiffusion(
        kernel, Schedule(Linear(kernel.first, kernel.last), BlurringNoise(logsnr))
    )
    return Preset(
        process=process,
        objective=SoftScoreMatching("1/sigma^2"),
        preconditioning=Residual(),
        sampler=default_sampler(AncestralSampler, process, steps=steps, final="sigma_min"),
        source="Hoogeboom and Salimans 2023, arXiv 2209.05557",
        notes="The network predicts the residual; in the paper it predicts the noise, with the "
        "same loss. In single precision, frequencies at the floor count as suppressed in images of "
        "more than about 8,000 numbers, and the sampler draws their noise anew at every step.",
    )


@checked
class BlurringKernel(Corruption):
    r"""Fades the image while the heat equation blurs it down to a floor.

    .. math:: \lambda_k = \cos(\phi) \left( (1 - d)\, e^{-\tau \lVert \omega_k \rVert^2} + d
        \right), \qquad \tau = \tfrac12 b^2 \sin^4 (\pi t / 2), \qquad \omega_k = \pi k / n

    The severity is the angle :math:`\phi` with :math:`\tan \phi = \sigma / \alpha`, by which the
    image has turned into noise of variance :math:`\sin^2 \phi`. The paper's time t runs from 0 to
    1 between the angles of its first and last signal-to-noise ratio; there is no blur before. At
    :math:`\pi / 2` nothing is left.

    Source: Hoogeboom and Salimans 2023, Section 4.

    Arguments:
        blur_max: The standard deviation b of the blur at t = 1, in pixels.
        floor: The share d in [0, 1] that is kept of every frequency.
        logsnr: The logarithm of :math:`\alpha^2 / \sigma^2` at t = 0, > 0.

    Raises:
        ValueError: If an argument is out of range.
    """

    unit: ClassVar[str] = "angle from the image to the noise in radians"
    max_severity = math.pi / 2
    transform = DCT()

    def __init__(self, blur_max: float = 20.0, floor: float = 0.001, logsnr: float = 10.0) -> None:
        if not (blur_max >= 0 and 0 <= floor <= 1):
            raise ValueError(
                "The blur must be >= 0 pixels and the floor in [0, 1], but are "
                f"{blur_max:g} and {floor:g}."
            )
        self.blur_max = blur_max
        self.floor = floor
        self.logsnr = logsnr
        self.first, self.last = angles(logsnr)

    def operator(self, severity: Tensor) -> LinearOperator:
        t = ((severity - self.first) / (self.last - self.first)).clamp(0, 1)
        tau = 0.5 * self.blur_max**2 * torch.sin(math.pi / 2 * t) ** 4
        heat = HeatKernel().operator(tau)
        return Scale(severity.cos()) @ ((1 - self.floor) * heat + self.floor * identity())


@checked
class BlurringNoise(Curve):
    r"""The noise :math:`\sin \phi_t`, where the angle grows evenly between two log-SNR.

    .. math:: \phi_t = \phi_0 + t\, (\tfrac{\pi}{2} - 2 \phi_0), \qquad
        \phi_0 = \arctan e^{-l / 2}

    Source: the cosine schedule of Nichol and Dhariwal 2021, in the form of Hoogeboom and
    Salimans 2023, Appendix A.

    Arguments:
        logsnr: The logarithm l of :math:`\alpha^2 / \sigma^2` at t = 0, > 0.

    Raises:
        ValueError: If `logsnr` is not positive.
    """

    def __init__(self, logsnr: float = 10.0) -> None:
        angles(logsnr)  # raises if it is out of range
        self.logsnr = logsnr

    def __call__(self, t: Tensor) -> Tensor:
        first, last = angles(self.logsnr)
        return torch.sin(first + t * (last - first))


def angles(logsnr: float) -> tuple[float, float]:
    """The angles from the image to the noise at t = 0 and t = 1."""
    if not logsnr >= SMALLEST:
        raise ValueError(f"The log-SNR at t = 0 must be > 0, but is {logsnr:g}.")
    first = math.atan(math.exp(-logsnr / 2))
    return first, math.pi / 2 - first
