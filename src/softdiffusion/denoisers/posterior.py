r"""Denoisers that also know a measurement :math:`y = A x_0 + \sigma_y n`, for any linear A.

Given :math:`x_0`, the measurement and :math:`x_t` are independent, so a process that starts from
:math:`p(x_0 | y)` instead of :math:`p(x_0)` has the same operators and noise, and its denoiser is
:math:`E[x_0 | x_t, y]`. With that denoiser every sampler draws from :math:`p(x_0 | y)`, provided
that it also starts there.

Where :math:`p(x_0 | x_t)` is close to :math:`N(\hat x_0, \Sigma_t)`,

.. math:: E[x_0 | x_t, y] = \hat x_0
    + \Sigma_t A^\top (A \Sigma_t A^\top + \sigma_y^2 I)^{-1} (y - A \hat x_0),

and the question is what :math:`\Sigma_t` is. By Tweedie's formula the Jacobian J of the denoiser
shows :math:`\Sigma_t C_t^\top = \sigma_t^2 J`, which leaves open all that :math:`C_t` suppresses:
for a blur nearly everything that is to be restored. `PosteriorDenoiser` therefore takes the
covariance from the data's spectrum, and `DPSDenoiser` takes from J what J can show.
"""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import (
    check_finite,
    check_noise,
    check_real,
    in_precision_of,
    is_traced,
    per_sample,
    shown,
)
from ..operators import Diagonal, LinearOperator, Scale, solve
from ..operators.systems import inner
from ..process import SoftDiffusion
from .denoiser import BaseDenoiser

__all__ = ["DPSDenoiser", "PosteriorDenoiser", "conditional_mean"]


def conditional_mean(
    x: Tensor,
    covariance: LinearOperator,
    operator: LinearOperator,
    y: Tensor,
    sigma_y: float | Tensor,
) -> Tensor:
    r"""The mean of :math:`x_0 \sim N(x, \Sigma)` given :math:`y = A x_0 + \sigma_y n`.

    .. math:: x + \Sigma A^\top (A \Sigma A^\top + \sigma_y^2 I)^{-1} (y - A x)

    Arguments:
        x: The mean without the measurement, (B, C, ...).
        covariance: :math:`\Sigma`.
        operator: A.
        y: The measurements, (B, ...), real or complex.
        sigma_y: Their noise, >= 0, or one a measurement, (B,); of complex ones that of the real
            and the imaginary part.
    """
    dtype, x = x.dtype, x.to(torch.promote_types(x.dtype, torch.float32))
    y = in_precision_of(x, y)
    # Rounding is noise, too, or what A has all but suppressed would be divided by next to nothing.
    noise = sigma_y**2 + torch.finfo(y.dtype).eps ** 2
    cross = covariance @ operator.T
    observed = operator @ cross + Scale(noise)
    missed = _missed(y, operator(x))
    if isinstance(observed, Diagonal | Scale):
        # As one operator: each factor alone would be too large for single precision.
        return (x + (cross @ observed.pinverse(rtol=0.0))(missed)).to(dtype)
    return (x + cross(solve(observed, missed))).to(dtype)


def _missed(y: Tensor, expected: Tensor) -> Tensor:
    """What the measurements are beyond those of a prediction, which have to have their shape."""
    if y.shape[1:] != expected.shape[1:]:
        raise ValueError(
            f"The measurements y have the shape {tuple(y.shape[1:])}, but the operator makes ones "
            f"of shape {tuple(expected.shape[1:])} of these images."
        )
    return y - expected


def _check_one_each(y: Tensor, x_t: Tensor) -> None:
    if len(y) not in (1, len(x_t)):
        raise ValueError(
            f"{len(y)} values do not fit a batch of {len(x_t)} images; give one measurement y, or "
            "one for every image."
        )


def _check_measurements(y: Tensor, sigma_y: float | Tensor) -> None:
    check_noise(sigma_y)
    if y.ndim < 2 or 0 in y.shape or not (y.is_floating_point() or y.is_complex()):
        raise ValueError(
            "The measurements y must be a batch (B, ...) of real or complex numbers, not "
            f"{shown(y)}."
        )
    check_finite("The measurements y", y)
    if isinstance(sigma_y, Tensor) and sigma_y.ndim and len(sigma_y) not in (1, len(y)):
        raise ValueError(
            f"sigma_y must be one number, or one for each of the {len(y)} measurements, but has "
            f"the shape {tuple(sigma_y.shape)}."
        )


@checked
class PosteriorDenoiser(BaseDenoiser):
    r"""The posterior mean given :math:`x_t` and a measurement, by the data's spectrum.

    .. math:: \Sigma_t = T^{-1} \operatorname{diag}\Bigl(
        \frac{v_k \sigma_t^2}{\lambda_k^2 v_k + \sigma_t^2} \Bigr)\, T

    is the covariance of Gaussian data given :math:`x_t`, with variances :math:`v_k` in the
    corruption's transform T. So the result is exact for Gaussian data and an exact denoiser,
    whatever A is and whatever :math:`C_t` has suppressed; for other data it says how the errors of
    neighbouring pixels are correlated. No gradient of the network is needed.

    The idea of a Gaussian around the prediction is that of Song et al. 2023 (PiGDM) and Rozet et
    al. 2024 (MMPS), who take the variance from the noise level and from the network's Jacobian.

    Arguments:
        denoiser: Gives :math:`\hat x_0`. Its corruption must be diagonal in a transform.
        operator: The measurement's operator A, of any kind.
        y: The measurements: one for every image of the batches to come, or a single one.
        sigma_y: The standard deviation of their noise, >= 0, or one a measurement, (B,); of complex
            measurements that of the real and the imaginary part.
        spectrum: The data's variances :math:`v_k`, (C, ...), >= 0, as `GaussianDenoiser.fit` finds
            them.

    Raises:
        ValueError: If the corruption has no transform, a variance or the noise is negative.
    """

    y: Tensor
    spectrum: Tensor

    def __init__(
        self,
        denoiser: BaseDenoiser,
        operator: LinearOperator,
        y: Tensor,
        sigma_y: float | Tensor,
        spectrum: Tensor,
    ) -> None:
        super().__init__()
        if denoiser.process.corruption.transform is None:
            raise ValueError(
                "The posterior by the data's spectrum needs a corruption that is diagonal in a "
                f"transform, which {type(denoiser.process.corruption).__name__} is not; use "
                "DPSDenoiser, in restorations dps_step."
            )
        if (check_real("The spectrum", spectrum) < 0).any():
            raise ValueError(f"Variances must be >= 0, but one is {spectrum.min():g}.")
        _check_measurements(y, sigma_y)
        self.denoiser = denoiser
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.transform = denoiser.process.corruption.transform
        self.operator = operator
        self.sigma_y = sigma_y
        self.register_buffer("y", y)
        self.register_buffer("spectrum", spectrum)

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        _check_one_each(self.y, x_t)
        if self.spectrum.shape != x_t.shape[1:]:
            raise ValueError(
                f"The spectrum has the shape {tuple(self.spectrum.shape)}, but the images "
                f"{tuple(x_t.shape[1:])}."
            )
        x0_hat = self.denoiser(x_t, t, labels)
        covariance = self.covariance(t)
        return conditional_mean(x0_hat, covariance, self.operator, self.y, self.sigma_y)

    def covariance(self, t: Tensor) -> LinearOperator:
        r"""The covariance :math:`\Sigma_t` of Gaussian data given :math:`x_t`."""

        def symbol(z: Tensor) -> Tensor:
            v = self.spectrum.to(z)[None]
            # Rounding is noise, too, as in the exact denoiser.
            noise = per_sample(self.process.sigma(t), z) ** 2 + torch.finfo(z.dtype).eps ** 2
            return v * noise / (self.process.spectrum(t, z) ** 2 * v + noise)

        return Diagonal(self.transform, symbol)


@checked
class DPSDenoiser(BaseDenoiser):
    r"""One gradient step towards the measurement, through the network (Chung et al. 2023).

    DPS shifts the score by :math:`-\zeta\, \nabla_{x_t} \lVert y - A \hat x_0(x_t) \rVert^2`, which
    is :math:`2 \zeta J^\top A^\top r` with the residual :math:`r = y - A \hat x_0`. A prediction
    shifted by :math:`\Delta` shifts the score by :math:`C_t \Delta / \sigma_t^2`, so C_t has to be
    undone: with the regularised inverse

    .. math:: \Delta = \zeta\, \alpha\, d, \qquad d = \sigma_t^2\,
        C_t^\top (C_t C_t^\top + \sigma_t^2 I)^{-1} J^\top A^\top r

    whatever :math:`C_t` has suppressed stays as the network predicts it, until it is revealed.
    The length is found by the residual, so that :math:`\zeta` has no unit:

    .. math:: \alpha = \frac{\langle r, q \rangle}{\lVert q \rVert^2}, \qquad
        q = A d + \sigma_y^2 r,

    the first step of the method of minimal residuals for the system that `PosteriorDenoiser`
    solves, with :math:`\sigma_t^2 C_t^\top (C_t C_t^\top + \sigma_t^2 I)^{-1} J^\top` in the place
    of :math:`\Sigma_t`. It asks nothing of the corruption but noise and needs no data, but one
    backward pass a call, and one step is not exact even for Gaussian data. The paper divides the
    step by :math:`\lVert r \rVert` instead and tunes :math:`\zeta` by task.

    Arguments:
        denoiser: Gives :math:`\hat x_0`.
        operator: The measurement's operator A, of any kind.
        y: The measurements: one for every image of the batches to come, or a single one.
        sigma_y: The standard deviation of their noise, >= 0, or one a measurement, (B,); of complex
            measurements that of the real and the imaginary part.
        step: The factor :math:`\zeta` > 0; beyond 2 it overshoots.

    Raises:
        ValueError: If the step is not positive, or the measurement's noise is negative; when
            called, if the process has no noise at one of the times.
    """

    y: Tensor

    def __init__(
        self,
        denoiser: BaseDenoiser,
        operator: LinearOperator,
        y: Tensor,
        sigma_y: float | Tensor,
        step: float = 1.0,
    ) -> None:
        super().__init__()
        if not step > 0:
            raise ValueError(f"The step of DPS must be > 0, but is {step:g}.")
        _check_measurements(y, sigma_y)
        self.denoiser = denoiser
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.operator = operator
        self.sigma_y = sigma_y
        self.step = step
        self.register_buffer("y", y)

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        _check_one_each(self.y, x_t)
        if not is_traced() and (self.process.sigma(t) == 0).any():
            raise ValueError(
                "DPS moves a score, and there is none where sigma is 0, as it is at one of the "
                "times; use PosteriorDenoiser, or a process with noise."
            )
        with torch.enable_grad():
            start = x_t.detach().requires_grad_()
            prediction = self.denoiser(start, t, labels)
            r = _missed(in_precision_of(x_t, self.y), self.operator(prediction.detach()))
            (gradient,) = torch.autograd.grad(prediction, start, self.operator.T(r))
        d = _undo(self.process, t, gradient)
        q = self.operator(d) + per_sample(self.sigma_y, r) ** 2 * r
        power = inner(q, q)
        alpha = torch.where(power > 0, inner(r, q) / power, 0.0)
        shifted = prediction.detach() + self.step * per_sample(alpha, d) * d
        return shifted.to(x_t.dtype)


def _undo(process: SoftDiffusion, t: Tensor, gradient: Tensor) -> Tensor:
    r"""Returns :math:`\sigma_t^2\, C_t^\top (C_t C_t^\top + \sigma_t^2 I)^{-1} g`."""
    C_t, variance = process.operator(t), process.sigma(t) ** 2
    return Scale(variance)(C_t.T(solve(C_t @ C_t.T + Scale(variance), gradient)))
