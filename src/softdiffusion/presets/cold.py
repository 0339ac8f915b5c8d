"""Cold Diffusion."""

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import SMALLEST, check_count, check_range, per_sample
from ..corruptions import Corruption, GaussianBlur, Pixelate
from ..denoisers import CleanPrediction
from ..objectives import CleanRegression
from ..operators import Diagonal, LinearOperator, Pixel
from ..process import SoftDiffusion
from ..samplers import MomentumSampler, NaiveSampler
from ..schedules import Constant, Curve, Linear, Schedule, Table
from .preset import Preset, default_sampler

__all__ = ["GaussianMasks", "cold_blur", "cold_inpainting", "cold_pixelate"]

Algorithm = Literal[1, 2]


@checked
def cold_blur(
    growth: float = 0.01, width: int = 27, levels: int = 300, algorithm: Algorithm = 2
) -> Preset:
    r"""Cold Diffusion by deblurring, for 128 pixels: one more Gaussian kernel a level.

    The paper's: kernel i = 0, 1, ... has the standard deviation :math:`e^{0.01 i}` in a window of
    27 pixels, 300 of them for generation (for restoration a window of 15, and 200), the L1 loss,
    and the sampler.

    Source: Bansal et al. 2022, Cold diffusion, Sections 3 to 5, and its code.

    Arguments:
        growth: The growth of the logarithm of the standard deviation from kernel to kernel, >= 0.
        width: The pixels of a kernel's window, odd, up to 9,999.
        levels: The number of kernels, up to 10,000.
        algorithm: The paper's sampler.
    """
    check_count("The number of kernels", levels, 1, 10_000)
    check_range("The growth of the kernels", growth, 0.0, math.inf)
    # Beyond e^300 pixels a kernel is constant in its window, and Python's numbers end at e^709.
    stds = [math.exp(min(growth * i, 300)) for i in range(levels)]
    variances = [windowed_variance(std, width) for std in stds]
    total = torch.tensor([0.0, *variances], dtype=torch.float64).cumsum(0)
    return _cold(
        GaussianBlur(),
        Table(total.sqrt().tolist()),
        levels,
        algorithm,
        "A Gaussian of the same variance stands for the product of the kernels, and the borders "
        "are mirrored, not periodic. For generation the paper replaces the last level by its mean.",
    )


@checked
def cold_inpainting(growth: float = 0.2, levels: int = 100, algorithm: Algorithm = 2) -> Preset:
    """Cold Diffusion by inpainting, for 128 pixels: one more Gaussian mask a level.

    The paper's: the masks of `GaussianMasks` for restoration, the L1 loss, and the sampler.

    Source: Bansal et al. 2022, Cold diffusion, Sections 3 and 4, and its code.

    Arguments:
        growth: The growth of a mask's standard deviation from mask to mask, in pixels.
        levels: The number of masks.
        algorithm: The paper's sampler.
    """
    return _cold(
        GaussianMasks(growth, levels),
        Linear(0.0, float(levels)),
        levels,
        algorithm,
        "The masks of the paper's CelebA experiment, with their peak in the middle of the image; "
        "for smaller images the paper moves it at random.",
    )


@checked
def cold_pixelate(levels: int = 3, algorithm: Algorithm = 2) -> Preset:
    """Cold Diffusion by super-resolution: half the resolution a level.

    The paper's: a factor of two a level, 3 levels for 28 and 32 pixels (4 for 128), the L1 loss,
    and the sampler.

    Source: Bansal et al. 2022, Cold diffusion, Sections 3 and 4, and its code.

    Arguments:
        levels: The number of times that the resolution is halved, up to 64.
        algorithm: The paper's sampler.
    """
    check_count("The number of times that the resolution is halved", levels, 1, 64)
    return _cold(
        Pixelate(),
        Linear(0.0, float(levels)),
        levels,
        algorithm,
        "Resolution falls by averages over blocks; the code's default is a bicubic filter, which "
        "is not symmetric, and averages are one of its options. Between the levels detail fades.",
    )


def _cold(
    corruption: Corruption, severity: Curve, levels: int, algorithm: Algorithm, notes: str
) -> Preset:
    """What all of them share: no noise, the L1 loss, and the paper's two algorithms."""
    if algorithm not in (1, 2):
        raise ValueError(f"The paper has the algorithms 1 and 2, not {algorithm!r}.")
    process = SoftDiffusion(corruption, Schedule(severity, Constant(0.0)))
    # Algorithm 2 ends in a state; Algorithm 1's last state is the prediction.
    options: dict[str, Any] = {"steps": levels, "final": "sigma_min"}
    return Preset(
        process=process,
        objective=CleanRegression("l1"),
        preconditioning=CleanPrediction(),
        sampler=default_sampler(
            NaiveSampler if algorithm == 1 else MomentumSampler, process, **options
        ),
        source="Bansal et al. 2022, arXiv 2208.09392",
        notes=notes,
    )


def windowed_variance(std: float, width: int) -> float:
    """The variance of a Gaussian kernel that is sampled at the pixels of a window."""
    if width < 1 or width % 2 == 0:
        raise ValueError(f"A kernel's window has an odd number of pixels, not {width}.")
    check_count("The width of a kernel's window", width, 1, 9_999)
    j = torch.arange(width, dtype=torch.float64) - width // 2
    return float((j**2 * torch.softmax(-(j**2) / (2 * std**2), dim=0)).sum())


@checked
class GaussianMasks(Corruption):
    r"""Gaussian masks that are multiplied one after the other; the severity is their number.

    .. math:: \lambda(r) = \prod_{i=1}^{\text{severity}}
        \left( 1 - e^{-r^2 / 2 (i g)^2} \right)

    with :math:`r` the distance from the image's centre in pixels. Between two numbers the next
    mask fades in linearly. What the last mask reaches is dark, the rest of the image is kept.

    Source: Bansal et al. 2022, Section 3 and its code.

    Arguments:
        growth: The growth g of a mask's standard deviation from mask to mask, in pixels, > 0.
        count: The largest number of masks, from 1 to 10,000.

    Raises:
        ValueError: If an argument is out of range.
    """

    unit: ClassVar[str] = "number of masks"
    transform = Pixel()

    def __init__(self, growth: float = 0.2, count: int = 100) -> None:
        if not growth >= SMALLEST or count < 1:
            raise ValueError(
                "Masks need a growth > 0 and a number of at least 1, but have "
                f"{growth:g} and {count}."
            )
        check_count("The number of masks", count, 1, 10_000)
        self.growth = growth
        self.count = count
        self.max_severity = float(count)

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            products = self._products(squared_distance(z))
            number = per_sample(severity, z)
            below = number.floor().clamp(max=self.count - 1)
            index = below.long().flatten()
            return torch.lerp(products[index], products[index + 1], number - below)

        return Diagonal(self.transform, symbol)

    def _products(self, r2: Tensor) -> Tensor:
        """The product of the first 0, 1, ..., `count` masks, (count + 1, 1, ...)."""
        stds = self.growth * torch.arange(1, self.count + 1, dtype=r2.dtype, device=r2.device)
        masks = -torch.expm1(-r2 / (2 * stds.reshape(-1, *(1,) * (r2.ndim - 1)) ** 2))
        return torch.cat([torch.ones_like(r2), masks.cumprod(dim=0)])


def squared_distance(z: Tensor) -> Tensor:
    """The squared distance of every pixel's midpoint from the centre, (1, 1, ...)."""
    total = z.new_zeros((1,) * z.ndim)
    for axis in range(2, z.ndim):
        n = z.shape[axis]
        offset = torch.arange(n, dtype=z.dtype, device=z.device) - (n - 1) / 2
        total = total + (offset**2).reshape(-1, *(1,) * (z.ndim - 1 - axis))
    return total
