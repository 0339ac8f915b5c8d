"""How close restored images are to the originals."""

from typing import cast

from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike
from .eight_bit import check_images, eight_bit

__all__ = ["check_pairs", "psnr", "ssim"]

_RANGE = 2.0  # of images in [-1, 1]


@checked
def psnr(images: ImageLike, originals: ImageLike) -> Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(4 / mean((x - y)^2)), of 8-bit images.

    Arguments:
        images: (N, C, H, W) in [-1, 1].
        originals: The same shape and range.

    Returns:
        One value an image, (N,); infinite where the images are equal in 8 bits.

    Raises:
        ValueError: If shapes differ, or images are not finite or not in [-1, 1].
        ImportError: If torchmetrics is not installed.
    """
    try:
        from torchmetrics.functional.image import peak_signal_noise_ratio
    except ImportError:
        raise _missing("PSNR") from None
    images, originals = check_pairs(images, originals)
    ratios: Tensor = peak_signal_noise_ratio(
        eight_bit(images), eight_bit(originals), _RANGE, reduction="none", dim=(1, 2, 3)
    )
    return ratios


@checked
def ssim(images: ImageLike, originals: ImageLike, sigma: float = 1.5) -> Tensor:
    """Structural similarity of 8-bit images, by torchmetrics with a Gaussian window.

    Arguments:
        images: (N, C, H, W) in [-1, 1].
        originals: The same shape and range.
        sigma: The window's standard deviation in pixels. The window has 2 round(3.5 sigma) + 1
            pixels a side (11 for the usual 1.5) and must fit into the image.

    Returns:
        One value an image, (N,), at most 1.

    Raises:
        ValueError: If shapes differ, the window does not fit, or images are not finite or not in
            [-1, 1].
        ImportError: If torchmetrics is not installed.

    Source: Wang et al., Image quality assessment: from error visibility to structural similarity,
    IEEE TIP 13(4), 2004.
    """
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure
    except ImportError:
        raise _missing("SSIM") from None
    images, originals = check_pairs(images, originals)
    if not 0.01 <= sigma <= 1e4:
        raise ValueError(f"SSIM's sigma must be in [0.01, 10000] pixels, but is {sigma:g}.")
    window = 2 * int(3.5 * sigma + 0.5) + 1
    if min(images.shape[-2:]) < window:
        raise ValueError(
            f"SSIM's window of {window} pixels (sigma {sigma:g}) does not fit into images of "
            f"{images.shape[-2]} x {images.shape[-1]}; give a smaller sigma, such as 0.5."
        )
    similarities = structural_similarity_index_measure(
        eight_bit(images), eight_bit(originals), sigma=sigma, reduction="none", data_range=_RANGE
    )
    return cast(Tensor, similarities)  # a tuple only where maps are asked for as well


def check_pairs(images: ImageLike, originals: ImageLike) -> tuple[Tensor, Tensor]:
    """Images and their originals as tensors, if each has its own, both of them in [-1, 1]."""
    images, originals = check_images("Images", images), check_images("Originals", originals)
    if images.shape != originals.shape:
        raise ValueError(
            f"Every image needs its original, but their shapes are {tuple(images.shape)} and "
            f"{tuple(originals.shape)}."
        )
    return images, originals


def _missing(metric: str) -> ImportError:
    return ImportError(f"{metric} needs torchmetrics: pip install 'softdiffusion[metrics]'.")
