"""Which way back an image of the model's own corruption takes."""

from typing import Literal

import torch
from torch import Tensor

from ..checks import per_sample
from ..denoisers import GaussianDenoiser
from ..operators import Diagonal, Scale

__all__ = ["LARGEST_COST", "LARGEST_SHARE", "Route", "topping_up_cost"]

#: From the image's own level, or the whole way as for a measurement by any operator.
Route = Literal["auto", "level", "operator"]

#: Above this cost, in dB, the operator's way is the better one: studies/restoration measures the
#: two to break even between 0 and 1 dB.
LARGEST_COST = 1.0

#: Without the data's spectrum the cost is unknown; an image with this share of its level's noise
#: is where it reaches about 1 dB (studies/restoration).
LARGEST_SHARE = 0.75


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
        One number an image, float64, (B,), or (1,) where all arguments are numbers; 0 where
        nothing is lost.
    """
    v = linear.spectrum.cpu().double()[None]
    severity = torch.as_tensor(severity, dtype=torch.float64, device="cpu")
    operator = linear.process.corruption.at(severity)
    assert isinstance(operator, Diagonal | Scale)  # as the exact denoiser has checked
    lam = operator.diagonal(v)

    def error(sigma: float | Tensor) -> Tensor:
        # Rounding is noise, too, as in the exact denoiser.
        variance = per_sample(sigma, v) ** 2 + torch.finfo(torch.float32).eps ** 2
        return (v * variance / (lam**2 * v + variance)).flatten(1).sum(dim=1)

    return 10 * torch.log10(error(sigma_t) / error(sigma_y))
