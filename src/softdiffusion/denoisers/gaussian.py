"""The exact denoiser of Gaussian data."""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import (
    ImageLike,
    check_data,
    check_finite,
    check_labels,
    check_real,
    per_sample,
)
from ..process import SoftDiffusion
from .denoiser import BaseDenoiser

__all__ = ["GaussianDenoiser"]


@checked
class GaussianDenoiser(BaseDenoiser):
    r"""The posterior mean :math:`E[x_0 | x_t]` if the data are Gaussian and independent by mode.

    With :math:`X_k \sim N(m_k, v_k)` in the transform that makes :math:`C_t` diagonal,

    .. math:: \hat X_k = m_k + \frac{\lambda_k v_k}{\lambda_k^2 v_k + \sigma_t^2}
        (X_{t,k} - \lambda_k m_k),

    a Wiener filter. It is the oracle of the tests, and the best linear denoiser of real data.

    Arguments:
        process: A process whose corruption is diagonal in a transform.
        mean: The mean image, (C, ...).
        spectrum: The variance of every coefficient in the corruption's transform, (C, ...), >= 0.

    Raises:
        ValueError: If the corruption has no such transform, a variance is negative, or mean and
            spectrum are not finite or differ in shape.
    """

    mean: Tensor
    spectrum: Tensor

    def __init__(self, process: SoftDiffusion, mean: Tensor, spectrum: Tensor) -> None:
        super().__init__()
        if process.corruption.transform is None:
            raise ValueError(
                "The Gaussian denoiser needs a corruption that is diagonal in a transform, which "
                f"{type(process.corruption).__name__} is not."
            )
        if mean.shape != spectrum.shape or mean.ndim < 2:
            raise ValueError(
                "Mean and spectrum must have one shape (C, ...), but have "
                f"{tuple(mean.shape)} and {tuple(spectrum.shape)}."
            )
        check_finite("The mean", check_real("The mean", mean))
        check_finite("The spectrum", check_real("The spectrum", spectrum))
        if (spectrum < 0).any():
            raise ValueError(f"Variances must be >= 0, but one is {spectrum.min():g}.")
        self.process = process
        self.transform = process.corruption.transform
        self.register_buffer("mean", mean)
        self.register_buffer("spectrum", spectrum)

    @classmethod
    @checked
    def fit(cls, process: SoftDiffusion, data: ImageLike) -> "GaussianDenoiser":
        """Takes mean and spectrum from images, (N, C, ...).

        Raises:
            ValueError: If there are no images, or not of finite real numbers.
        """
        data = check_data(data)
        data = data.to(torch.promote_types(data.dtype, torch.float32))
        transform = process.corruption.transform
        mean = data.mean(dim=0)
        if transform is None:
            return cls(process, mean, mean)  # raises
        return cls(process, mean, transform.forward(data - mean).square().mean(dim=0))

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        check_labels(labels, self.classes, len(x_t))
        x = x_t.to(torch.promote_types(x_t.dtype, torch.float32))
        v = self.spectrum.to(x)[None]
        m = self.transform.forward(self.mean.to(x)[None])
        X_t = self.transform.forward(x)
        lam = self.process.spectrum(t, X_t)
        sigma = per_sample(self.process.sigma(t), X_t)
        # Rounding is noise, too: without it, a mode that left no trace would not be its mean.
        rounding = torch.finfo(X_t.dtype).eps
        gain = lam * v / (lam**2 * v + sigma**2 + rounding**2)
        return self.transform.inverse(m + gain * (X_t - lam * m)).to(x_t.dtype)
