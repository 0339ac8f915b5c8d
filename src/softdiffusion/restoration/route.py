"""Which way back an image of the model's own corruption takes."""

from typing import Literal

import torch
from torch import Tensor

from ..checks import per_sample
from ..denoisers import GaussianDenoiser
from ..operators import Diagonal, Scale

__all__ = ["Route", "is_dear", "lacks_noise", "topping_up_cost"]

#: From the image's own level, or the whole way as for a measurement by any operator.
Route = Literal["auto", "level", "operator"]

#: Above this cost, in dB, and with at most this share of the level's noise, the operator's way is
#: the better one: studies/restoration measures it ahead, or level, there. Where blur leaves
#: little, real images gain more from low noise than the Gaussian ones whose loss is predicted.
_LARGEST_COST, _SMALL_SHARE = 1.0, 0.25

#: Without the data's spectrum the cost is unknown; with less than this share of the level's noise
#: it is up to 2.5 dB there.
_LARGE_SHARE = 0.75


def is_dear(cost: Tensor, sigma_y: Tensor, sigma_t: Tensor) -> Tensor:
    """Whether topping up is worse than the operator's way, (B,).

    Arguments:
        cost: What it costs by the data's spectrum, in dB, (B,).
        sigma_y: The noise of every image, (B,).
        sigma_t: The noise of its level, (B,).
    """
    return (cost > _LARGEST_COST) | ((sigma_t > 0) & (sigma_y <= _SMALL_SHARE * sigma_t))


def lacks_noise(sigma_y: Tensor, sigma_t: Tensor) -> Tensor:
    """Whether an image lacks so much of its level's noise that this may matter, (B,)."""
    return sigma_y < _LARGE_SHARE * sigma_t


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
