"""The forward process, and the hop from one of its times to an earlier one."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .arguments import checked
from .checks import SMALLEST, ImageLike, as_images, check_range, is_traced, per_sample
from .corruptions import Corruption
from .operators import Diagonal, LinearOperator, Scale
from .schedules import Schedule

__all__ = ["SoftDiffusion", "Transition"]

Time = float | Tensor


@checked
class SoftDiffusion:
    r"""The forward process :math:`x_t = C_t x_0 + \sigma_t \eta`, with :math:`\eta \sim N(0, I)`.

    A time is a number or one number a sample, shape (B,), in [0, 1]: 0 is clean, 1 is fully
    corrupted. Source: Daras et al. 2022, Section 3.

    Arguments:
        corruption: The family of linear operators.
        schedule: Severity and noise level at every time.

    Raises:
        ValueError: If the schedule asks for more than the corruption's largest severity.
    """

    def __init__(self, corruption: Corruption, schedule: Schedule) -> None:
        corruption.at(schedule.severity(torch.ones((), dtype=torch.float64)))
        self.corruption = corruption
        self.schedule = schedule

    def operator(self, t: Time) -> LinearOperator:
        r"""The operator :math:`C_t`."""
        return self._operator(_time(t))

    def sigma(self, t: Time) -> Tensor:
        r"""The noise level :math:`\sigma_t`, in the shape of `t`."""
        return self.schedule.sigma(_time(t))

    # A check reads from the device of its times and waits for it, so a time is checked but once.
    def _operator(self, t: Tensor) -> LinearOperator:
        return self.corruption.operator(self.schedule.severity(t))

    def perturb(self, x0: ImageLike, t: Time, noise: ImageLike) -> Tensor:
        r"""Returns :math:`x_t = C_t x_0 + \sigma_t \eta`.

        Arguments:
            x0: Clean images, (B, C, ...).
            t: The time, or one a sample.
            noise: The noise :math:`\eta`, in the shape of `x0`.

        Raises:
            ValueError: If shapes differ, the images are no real numbers or a time lies outside
                [0, 1].
        """
        x0 = as_images("The images x0", x0)
        noise = as_images("The noise", noise)
        if noise.shape != x0.shape:
            raise ValueError(
                f"The noise must have the images' shape {tuple(x0.shape)}, but has "
                f"{tuple(noise.shape)}."
            )
        t = _time(t)
        sigma = per_sample(self.schedule.sigma(t), x0).to(x0.dtype)
        return self._operator(t)(x0) + sigma * noise

    @checked
    def score(self, x_t: Tensor, t: Time, x0_hat: Tensor) -> Tensor:
        r"""Returns :math:`(C_t \hat x_0 - x_t) / \sigma_t^2`.

        With the posterior mean :math:`E[x_0 | x_t]` it is :math:`\nabla \log q(x_t)` (Daras et
        al. 2022, Eq. 6).

        Raises:
            ValueError: If there is no noise at `t`, so that no score exists.
        """
        x_t, x0_hat = as_images("The states x_t", x_t), as_images("The images x0_hat", x0_hat)
        if x_t.shape != x0_hat.shape:
            raise ValueError(
                f"The images x0_hat must have the shape {tuple(x_t.shape)} of the states x_t, but "
                f"have {tuple(x0_hat.shape)}."
            )
        t = _time(t)
        variance = per_sample(self._positive_sigma(t), x_t) ** 2
        return ((self._operator(t)(x0_hat) - x_t) / variance).to(x_t.dtype)

    @checked
    def snr(self, t: Time, spectrum: Tensor) -> Tensor:
        r"""The signal-to-noise ratio of every mode, :math:`\lambda_k^2 v_k / \sigma_t^2`.

        Arguments:
            t: The time, or one a sample.
            spectrum: The variance :math:`v_k` of the data in every coefficient of the
                corruption's transform, (C, ...).

        Returns:
            A tensor (B, C, ...), with B = 1 for a single time.

        Raises:
            ValueError: If there is no noise at `t`, or the corruption has no transform.
        """
        t = _time(t)
        z = as_images("The spectrum", spectrum[None])
        return self.spectrum(t, z) ** 2 * z / per_sample(self._positive_sigma(t), z) ** 2

    @checked
    def spectrum(self, t: Time, z: Tensor) -> Tensor:
        r"""The diagonal :math:`\lambda_k` of :math:`C_t` in the corruption's transform.

        Arguments:
            t: The time, or one a sample.
            z: A batch of coefficients, of which only shape, dtype and device are read.

        Raises:
            ValueError: If no transform makes the corruption diagonal.
        """
        z = as_images("The coefficients z", z)
        if self.corruption.transform is None:
            raise ValueError(
                f"{type(self.corruption).__name__} is not diagonal in a known transform, so it has "
                "no spectrum."
            )
        operator = self.operator(t)
        assert isinstance(operator, Diagonal | Scale)  # that is what having a transform means
        return operator.diagonal(z)

    def transition(self, t: Time, s: Time) -> "Transition":
        """The quantities of a hop from `t` to `s`.

        Raises:
            ValueError: If a time lies outside [0, 1], or s > t.
        """
        t, s = _time(t), _time(s)
        if not is_traced() and (s > t).any():
            raise ValueError(
                f"A hop goes to an earlier time, but from {t.tolist()} it goes to {s.tolist()}."
            )
        return Transition(
            t=t,
            s=s,
            C_t=self._operator(t),
            C_s=self._operator(s),
            sigma_t=self.schedule.sigma(t),
            sigma_s=self.schedule.sigma(s),
        )

    def _positive_sigma(self, t: Tensor) -> Tensor:
        sigma = self.schedule.sigma(t)
        if not is_traced() and (sigma < SMALLEST).any():
            raise ValueError(
                "There is no noise at this time (sigma = 0), or less than 1e-9, so scores and "
                "signal-to-noise ratios do not exist there; use a later time or a schedule with "
                "sigma > 0."
            )
        return sigma


@dataclass(frozen=True)
class Transition:
    """A hop from time t to time s <= t: operators and noise levels at both ends."""

    t: Tensor
    s: Tensor
    C_t: LinearOperator
    C_s: LinearOperator
    sigma_t: Tensor
    sigma_s: Tensor

    @property
    def rho(self) -> Tensor:
        r"""The ratio :math:`\sigma_s / \sigma_t`, 1 where they are equal, zero included."""
        return torch.where(self.sigma_t == self.sigma_s, 1.0, self.sigma_s / self.sigma_t)

    @property
    def keeps_noise(self) -> bool:
        """Whether both ends have the same noise level, so that no noise is drawn."""
        return bool((self.sigma_t == self.sigma_s).all())


def _time(t: Time) -> Tensor:
    return check_range("The time t", t, 0.0, 1.0)
