"""What a network predicts: the clean image, the noise, or the velocity between the two."""

import torch
from torch import Tensor

from ..checks import is_traced, per_sample
from ..operators import Scale
from ..process import SoftDiffusion
from .preconditioning import Factors, Preconditioning

__all__ = ["CleanPrediction", "NoisePrediction", "VelocityPrediction"]


class CleanPrediction(Preconditioning):
    """The network predicts the clean image: factors (0, 1, 1)."""

    def __call__(self, process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Factors:
        return 0.0, 1.0, 1.0


class NoisePrediction(Preconditioning):
    r"""The network predicts the noise: :math:`\hat x_0 = (x_t - \sigma_t F) / \alpha_t`.

    For processes that scale the image, :math:`C_t = \alpha_t I`. `SoftScoreMatching` with the
    weight :math:`1/\sigma^2` is then the mean square error of the noise. Source: Ho et al. 2020,
    Section 3.2.

    Raises:
        ValueError: When called, if the corruption is no scaling, or nothing of the image is left.
    """

    def __call__(self, process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Factors:
        alpha, sigma = amplitude(process, x_t, t), per_sample(process.sigma(t), x_t)
        if not is_traced() and (alpha == 0).any():
            raise ValueError(
                "From noise alone a prediction of the noise says nothing about the image; use "
                "VelocityPrediction, or a process that keeps some of the image at t = 1."
            )
        return 1 / alpha, -sigma / alpha, 1.0


class VelocityPrediction(Preconditioning):
    r"""The network predicts :math:`\eta - x_0`, the velocity of a straight path to the noise.

    .. math:: \hat x_0 = \frac{x_t - \sigma_t F}{\alpha_t + \sigma_t}

    For processes that scale the image, :math:`C_t = \alpha_t I`; on rectified flow's path it is
    :math:`x_t - t F`, and `DriftMatched` is the mean square error of the velocity. Source: Liu et
    al. 2023, Section 2.1.

    Raises:
        ValueError: When called, if the corruption is no scaling.
    """

    def __call__(self, process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Factors:
        alpha, sigma = amplitude(process, x_t, t), per_sample(process.sigma(t), x_t)
        return 1 / (alpha + sigma), -sigma / (alpha + sigma), 1.0


def amplitude(process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Tensor:
    r"""The factor :math:`\alpha_t` of a process with :math:`C_t = \alpha_t I`, shaped for `x_t`."""
    operator = process.operator(t)
    if not isinstance(operator, Scale):
        raise ValueError(
            f"{type(process.corruption).__name__} does more than scale the image, so neither the "
            "noise nor a velocity can be turned into a prediction of it by factors; use Residual "
            "or CleanPrediction."
        )
    return torch.as_tensor(operator.diagonal(x_t))
