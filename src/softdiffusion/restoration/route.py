"""Which way back an image of the model's own corruption takes."""

from typing import Literal

import torch
from torch import Tensor

from ..checks import per_sample
from ..denoisers import GaussianDenoiser

__all__ = ["Route", "topping_up_cost"]

#: From the image's own level, or the whole way as for a measurement by any operator.
Route = Literal["auto", "level", "operator"]


def topping_up_cost(
    linear: GaussianDenoiser,
    severity: float | Tensor,
    sigma_y: float | Tensor,
    sigma_t: float | Tensor,
) -> Tensor:
    r"""What is lost of an image by raising its noise to that of its level, in dB of squared error.

    .. math:: 10 \lg \frac{e(\sigma_t)}{e(\sigma_y)}, \qquad
        e(\sigma) = \sum_k \frac{v_k \sigma^2}{\lambda_k^2 v_k + \sigma^2}

    e is the squared error of the best restoration of Gaussian data with the spectrum v.

    Arguments:
        linear: Mean and spectrum of the data, in the transform of its process.
        severity: The severity, or one an image, (B,).
        sigma_y: The noise of the images, or one an image.
        sigma_t: The noise of their level, or one an image.

    Returns:
        One number an image, float64, (B,) or (1,); 0 where nothing is lost.
    """
    v = linear.spectrum.cpu().double()[None]
    severity = torch.as_tensor(severity, dtype=torch.float64, device="cpu")
    lam = linear.process.corruption.at(severity).diagonal(v)

    def error(sigma: float | Tensor) -> Tensor:
        variance = per_sample(sigma, v) ** 2
        # Rounding is noise, too, as in the exact denoiser.
        variance = variance + torch.finfo(torch.float32).eps ** 2
        return (v * variance / (lam**2 * v + variance)).flatten(1).sum(dim=1)

    return 10 * torch.log10(error(sigma_t) / error(sigma_y))
