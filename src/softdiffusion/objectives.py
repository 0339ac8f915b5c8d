r"""Objectives: what the network is trained to minimise.

Every objective is called as `objective(process, denoiser, x0, t, noise)` and returns one loss a
sample, shape (B,). Throughout, :math:`e = \hat x_0 - x_0` is the error of the prediction
:math:`\hat x_0 = h(x_t, t)`, and :math:`\lVert \cdot \rVert^2` is the mean over the coordinates
of an image, so that losses compare between image sizes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from .arguments import checked
from .checks import (
    SMALLEST,
    ImageLike,
    as_images,
    check_count,
    check_range,
    is_traced,
    per_sample,
    shown,
)
from .process import SoftDiffusion

__all__ = [
    "CleanRegression",
    "DenoisingScoreMatching",
    "DriftMatched",
    "LookAhead",
    "Objective",
    "SoftScoreMatching",
    "StepMatched",
    "Weight",
    "soft_score_matching",
]

#: A function (x_t, t) -> x0_hat.
Predictor = Callable[[Tensor, Tensor], Tensor]

#: The weight of a time: 1, or the inverse variance of its noise.
Weight = Literal["1", "1/sigma^2"]


class Objective(ABC):
    """A loss for every sample of a batch."""

    @checked
    def __call__(
        self,
        process: SoftDiffusion,
        denoiser: Predictor,
        x0: ImageLike,
        t: Tensor,
        noise: ImageLike,
    ) -> Tensor:
        """Corrupts the images and returns the loss of the denoiser's predictions, (B,).

        Arguments:
            process: The forward process.
            denoiser: Predicts the clean image from `x_t` and `t`.
            x0: Clean images, (B, C, ...).
            t: One time a sample, (B,), in [0, 1].
            noise: Standard normal noise in the shape of `x0`.

        Raises:
            ValueError: If `t` is not one time a sample, or lies outside [0, 1].
        """
        x0, noise = as_images("The images x0", x0), as_images("The noise", noise)
        if not isinstance(t, Tensor) or t.shape != x0.shape[:1]:
            raise ValueError(
                f"Training needs one time a sample, shape {tuple(x0.shape[:1])}, but t "
                f"{f'has shape {tuple(t.shape)}' if isinstance(t, Tensor) else f'is {shown(t)}'}."
            )
        x0_hat = denoiser(process.perturb(x0, t, noise), t)
        if not isinstance(x0_hat, Tensor) or x0_hat.shape != x0.shape:
            raise ValueError(
                f"A denoiser must keep the shape of its images, {tuple(x0.shape)}, but "
                f"{type(denoiser).__name__} returned {shown(x0_hat)}."
            )
        # Squares and their sums are too large, or too coarse, for half precision.
        wide = torch.promote_types(torch.promote_types(x0_hat.dtype, x0.dtype), torch.float32)
        return self.loss(process, x0_hat.to(wide) - x0, t, noise)

    @abstractmethod
    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        r"""The loss (B,) of an error :math:`e = \hat x_0 - x_0`, (B, C, ...)."""


@checked
class SoftScoreMatching(Objective):
    r""":math:`w(t)\, \lVert C_t e \rVert^2`: once corrupted, the prediction is the observation.

    With :math:`w = 1/\sigma_t^2` it is denoising score matching at weighting :math:`\sigma_t^2`.
    What :math:`C_t` removes has no weight: under a hard mask, a projection or a hard low-pass the
    part that reappears in the next step is never trained at t, for which there are `StepMatched`
    and `LookAhead`. Source: Daras et al. 2022, Eq. 7.

    Arguments:
        weight: The weight w(t) of a time.

    Raises:
        ValueError: If the weight is unknown; when called, if it needs noise where there is none.
    """

    def __init__(self, weight: Weight = "1/sigma^2") -> None:
        if weight not in ("1", "1/sigma^2"):
            raise ValueError(f"The weight must be 1 or 1/sigma^2, but is {weight!r}.")
        self.weight = weight

    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return weigh(self.weight, process, t) * square(process.operator(t)(error))


#: Soft score matching with the weight 1 / sigma^2.
soft_score_matching = SoftScoreMatching()


@checked
class CleanRegression(Objective):
    r""":math:`\lVert e \rVert^2`, or :math:`\lVert e \rVert_1` as in Cold Diffusion.

    The first is an upper bound of `SoftScoreMatching` with weight 1 if :math:`\lVert C_t \rVert
    \le 1`. Source: Bansal et al. 2022, Eq. 2, for the second.

    Arguments:
        norm: "l2" for the mean square, "l1" for the mean absolute error.

    Raises:
        ValueError: If the norm is unknown.
    """

    def __init__(self, norm: Literal["l2", "l1"] = "l2") -> None:
        if norm not in ("l2", "l1"):
            raise ValueError(f"The norm must be l2 or l1, but is {norm!r}.")
        self.norm = norm

    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return square(error) if self.norm == "l2" else error.abs().flatten(1).mean(dim=1)


class DenoisingScoreMatching(Objective):
    r""":math:`\lVert s(x_t) - \nabla \log q(x_t | x_0) \rVert^2\, \sigma_t^2`, on the score itself.

    Source: Vincent 2011; Daras et al. 2022, Theorem 3.2.
    """

    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        # (C_t x0_hat - x_t) / sigma^2 - (C_t x0 - x_t) / sigma^2, where x_t = C_t x0 + sigma noise
        zero = torch.zeros_like(error)
        difference = process.score(zero, t, error)
        return process.sigma(t) ** 2 * square(difference)


@checked
class LookAhead(Objective):
    r""":math:`\lVert C_s e \rVert^2` with :math:`s = \max(t - 1/N, 0)`: the next level must match.

    N = 1 is plain regression if :math:`C_0 = I`, and large N is soft score matching, both with
    weight 1.

    Arguments:
        steps: The number N of sampling steps that it is trained for, >= 1.

    Raises:
        ValueError: If `steps` is smaller than 1.
    """

    def __init__(self, steps: int) -> None:
        self.steps = check_steps(steps)

    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return square(process.operator(earlier(t, self.steps))(error))


@checked
class StepMatched(Objective):
    r""":math:`\lVert (C_s - \rho C_t) e \rVert^2 + w \lVert C_t e \rVert^2`: the step is right.

    The first term is the error that a deterministic step from t to :math:`s = \max(t - 1/N, 0)`
    makes, with :math:`\rho = \sigma_s / \sigma_t`. Where the noise is constant it never sees what
    :math:`C_t` keeps; the soft share w keeps the prediction an estimate of the image there. The
    first term falls as :math:`1/N^2`, so that beside more steps the same w weighs more.

    Arguments:
        steps: The number N of sampling steps that it is trained for, >= 1.
        soft_share: The weight w of the soft term, >= 0.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, steps: int, soft_share: float = 0.0) -> None:
        check_range("The soft share", soft_share, 0.0, math.inf)
        self.steps = check_steps(steps)
        self.soft_share = soft_share

    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        hop = process.transition(t, earlier(t, self.steps))
        step = square((hop.C_s - hop.rho * hop.C_t)(error))
        return step + self.soft_share * square(hop.C_t(error))


class DriftMatched(Objective):
    r""":math:`\lVert (C'_t - (\sigma'_t / \sigma_t) C_t) e \rVert^2`, the limit of short steps.

    It is :math:`N^2` times `StepMatched` for :math:`N \to \infty`: the error of the drift of the
    probability-flow equation. Derivatives are with respect to t.

    Raises:
        ValueError: When called at a time where the noise is zero but grows.
    """

    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        sigma, slope = with_derivative(process.sigma, t)
        C_e, dC_e = with_derivative(lambda time: process.operator(time)(error), t)
        if not is_traced() and ((sigma < SMALLEST) & (slope != 0)).any():
            raise ValueError(
                "The drift is infinite where the noise starts from zero; use times with sigma > 0, "
                "or the step-matched loss."
            )
        growth = torch.where(slope == 0, 0.0, slope / sigma)  # 0 where there is no noise at all
        return square(dC_e - per_sample(growth, error) * C_e)


def with_derivative(function: Callable[[Tensor], Tensor], t: Tensor) -> tuple[Tensor, Tensor]:
    """A function of one time a sample, and its derivative with respect to the time."""
    value, derivative, *_ = torch.func.jvp(function, (t,), (torch.ones_like(t),))
    return value, derivative


def square(error: Tensor) -> Tensor:
    """The mean square over the coordinates of every sample, (B,)."""
    return error.square().flatten(1).mean(dim=1)


def earlier(t: Tensor, steps: int) -> Tensor:
    """The time one of `steps` equal steps before t, not below 0."""
    return (t - 1 / steps).clamp(min=0)


def weigh(weight: Weight, process: SoftDiffusion, t: Tensor) -> Tensor:
    """The weight of every time; 1 / sigma^2 refuses times without noise."""
    if weight == "1":
        return torch.ones_like(t)
    sigma = process.sigma(t)
    if not is_traced() and (sigma < SMALLEST).any():
        raise ValueError(
            "The weight 1/sigma^2 needs noise, but sigma is 0, or below 1e-9, at one of the times; "
            "use the weight 1, or a schedule with sigma > 0."
        )
    return sigma**-2


def check_steps(steps: int) -> int:
    """Returns the number of steps if it is at least 1."""
    if steps < 1:
        raise ValueError(f"The number of steps must be at least 1, but is {steps}.")
    return check_count("The number of steps", steps, 1, 1_000_000)
