"""Preconditioning: the scales of a network's input, output and skip connection."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import LARGEST, SMALLEST, per_sample
from ..process import SoftDiffusion

__all__ = ["EDM", "Preconditioning", "Residual", "ScaledResidual"]

Factors = tuple[float | Tensor, float | Tensor, float | Tensor]


class Preconditioning(ABC):
    """The factors (c_skip, c_out, c_in) at every time."""

    @abstractmethod
    def __call__(self, process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Factors:
        """Returns the three factors, shaped to multiply `x_t`."""


class Residual(Preconditioning):
    """The network predicts what is missing: factors (1, 1, 1).

    Source: Daras et al. 2022, Section 3.
    """

    def __call__(self, process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Factors:
        return 1.0, 1.0, 1.0


class ScaledResidual(Preconditioning):
    r"""The network predicts the residual x_t - x_0 in units of the noise: factors (1, -sigma_t, 1).

    .. math:: \hat x_0 = x_t - \sigma_t F

    Where there is no noise, the prediction is the state, whatever the network says: for processes
    whose noise comes with the corruption. With :math:`C = I` it is `NoisePrediction`, and on
    rectified flow's path, :math:`C_t = (1 - t) I` and :math:`\sigma_t = t`, `VelocityPrediction`;
    both of those need a process that scales the image.
    """

    def __call__(self, process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Factors:
        return 1.0, -per_sample(process.sigma(t), x_t), 1.0


@checked
class EDM(Preconditioning):
    r"""Input and target of unit variance at every noise level, for data of standard deviation d.

    .. math:: c_\text{skip} = \frac{d^2}{\sigma_t^2 + d^2}, \quad
        c_\text{out} = \frac{\sigma_t d}{\sqrt{\sigma_t^2 + d^2}}, \quad
        c_\text{in} = \frac{1}{\sqrt{\sigma_t^2 + d^2}}

    The derivation assumes that noise is the only corruption, :math:`C_t = I`. Source: Karras et
    al. 2022, Table 1.

    Arguments:
        data_std: The standard deviation d of the data, > 0.

    Raises:
        ValueError: If `data_std` is not positive and finite.
    """

    def __init__(self, data_std: float = 0.5) -> None:
        if not SMALLEST <= data_std <= LARGEST:
            raise ValueError(
                f"The data's standard deviation must be > 0 and finite, but is {data_std:g}."
            )
        self.data_std = data_std

    def __call__(self, process: SoftDiffusion, x_t: Tensor, t: Tensor) -> Factors:
        sigma = per_sample(process.sigma(t), x_t)
        total = torch.sqrt(sigma**2 + self.data_std**2)
        return (self.data_std / total) ** 2, sigma * self.data_std / total, 1 / total
