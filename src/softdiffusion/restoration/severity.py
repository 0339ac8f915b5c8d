"""How strongly an image was degraded, read off the image itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_range
from ..denoisers import GaussianDenoiser
from ..operators import Diagonal, Scale
from ..random import generators, randn

__all__ = ["SeverityEstimate", "SeverityEstimator"]

#: Levels of the schedule that are compared.
_LEVELS = 129

#: Contrasts that an image may have relative to the data, in variance: from 1/8 to 8.
_CONTRASTS = torch.linspace(-3, 3, 9, dtype=torch.float64).exp2()

#: What the interval should hold, and the temperatures at which it is tried, coldest first.
_COVERAGE = 0.95
_TEMPERATURES = [2.0 ** (k / 2) for k in range(15)]

#: Numbers that are held in memory at a time, in double precision.
_NUMBERS = 10_000_000

#: Training images on which the temperature is chosen.
_CALIBRATION_IMAGES = 200


@dataclass(frozen=True)
class SeverityEstimate:
    """What is known of the severity of every image, each (B,), float64, in the family's unit.

    Attributes:
        mean: The posterior mean.
        std: The posterior's standard deviation.
        low: The lower end of the interval that holds 95 %.
        high: Its upper end.
    """

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor


class SeverityEstimator:
    r"""Estimates the severity by the likelihood of the coefficients of Gaussian data.

    .. math:: Y_k \sim N(\lambda_k m_k,\; \lambda_k^2 c\, v_k + \sigma_y^2), \qquad
        p(\text{severity} | y) \propto \Bigl(\frac1J \sum_c \prod_k p(Y_k)\Bigr)^{1/\tau}

    at the severities of the schedule, all its times being equally likely beforehand. The contrast
    c is averaged over, so that a pale image does not pass for a blurred one. Real coefficients
    are neither Gaussian nor independent, which makes the likelihood too sure of itself: the
    temperature :math:`\tau` flattens it.

    Arguments:
        linear: The process with mean and spectrum of its data.
        sigma_y: The noise of the images, >= 0; levels with less noise are left out.
        temperature: :math:`\tau \ge 1`; `fit` chooses it.

    Raises:
        ValueError: If no level has as much noise, or the temperature is below 1.
    """

    def __init__(
        self, linear: GaussianDenoiser, sigma_y: float = 0.0, temperature: float = 1.0
    ) -> None:
        noise = check_range("The noise sigma_y", sigma_y, 0.0, torch.inf)
        check_range("The temperature", temperature, 1.0, torch.inf)
        times = torch.linspace(0, 1, _LEVELS, dtype=torch.float64)
        severities, sigmas = linear.process.schedule(times)
        severities = severities[sigmas >= noise].unique()
        if not len(severities):
            raise ValueError(
                f"The images have noise of {sigma_y:g}, but the process reaches only "
                f"{sigmas[-1]:.3g}, so they are on none of its levels; restore them by their "
                "operator."
            )
        self.linear = linear
        self.sigma_y = sigma_y
        self.temperature = temperature
        self.severities = severities

    @classmethod
    def fit(
        cls, linear: GaussianDenoiser, data: Tensor, sigma_y: float = 0.0, seed: int = 0
    ) -> "SeverityEstimator":
        """Takes the smallest temperature at which the interval holds 95 % of known severities.

        Arguments:
            linear: The process with mean and spectrum of its data.
            data: Clean images, of which 200 are degraded and estimated, (N, C, ...).
            sigma_y: The noise of the images.
            seed: Chooses images, severities and noise.
        """
        estimator = cls(linear, sigma_y)
        (source,) = generators(seed, [0])
        x0 = data[torch.randperm(len(data), generator=source)[:_CALIBRATION_IMAGES]]
        levels = torch.randint(len(estimator.severities), (len(x0),), generator=source)
        severity = estimator.severities[levels]
        noise = randn(x0.shape, source, x0.dtype, x0.device)
        y = linear.process.corruption.at(severity)(x0) + sigma_y * noise
        likelihood = estimator.log_likelihood(y)
        for temperature in _TEMPERATURES:
            found = cls(linear, sigma_y, temperature)
            estimate = found._posterior(likelihood)
            held = (estimate.low <= severity) & (severity <= estimate.high)
            if held.double().mean() >= _COVERAGE:
                break
        return found

    def __call__(self, y: Tensor) -> SeverityEstimate:
        """Estimates the severity of every image of a batch (B, C, ...)."""
        return self._posterior(self.log_likelihood(y))

    def log_likelihood(self, y: Tensor) -> Tensor:
        """The logarithm of the likelihood at every one of `severities`, (B, K), at temperature 1.

        Arguments:
            y: Images, (B, C, ...).
        """
        together = max(1, _NUMBERS // (len(_CONTRASTS) * y[0].numel()))
        return torch.cat([self._log_likelihood(part) for part in y.split(together)])

    def _log_likelihood(self, y: Tensor) -> Tensor:
        transform, corruption = self.linear.transform, self.linear.process.corruption
        Y = transform.forward(y.cpu().double())[:, None]  # not all devices have doubles
        m = transform.forward(self.linear.mean.to(Y)[None])[:, None]
        v = self.linear.spectrum.to(Y)
        contrast = _CONTRASTS.to(Y).reshape(-1, *(1,) * v.ndim)
        rounding = torch.finfo(y.dtype).eps
        columns = []
        for severity in self.severities.to(Y):
            operator = corruption.at(severity)
            assert isinstance(operator, Diagonal | Scale)  # as the exact denoiser has checked
            lam = operator.diagonal(Y[:, 0])
            lam = lam[:, None] if lam.ndim else lam  # a scale has one number for all
            variance = lam**2 * contrast * v + self.sigma_y**2 + rounding**2
            terms = (Y - lam * m) ** 2 / variance + variance.log()
            columns.append(-0.5 * terms.flatten(2).sum(dim=2).cpu())
        return torch.stack(columns, dim=1).logsumexp(dim=2)

    def _posterior(self, likelihood: Tensor) -> SeverityEstimate:
        weights = torch.softmax(likelihood / self.temperature, dim=1)
        mean = weights @ self.severities
        variance = weights @ self.severities**2 - mean**2
        below = weights.cumsum(dim=1)
        tail = (1 - _COVERAGE) / 2
        last = len(self.severities) - 1
        low = (below < tail).sum(dim=1)
        high = (below < 1 - tail).sum(dim=1).clamp(max=last)
        # A severity between two levels counts to both of them, so the interval is of whole steps.
        return SeverityEstimate(
            mean=mean,
            std=variance.clamp(min=0).sqrt(),
            low=self.severities[(low - 1).clamp(min=0)],
            high=self.severities[(high + 1).clamp(max=last)],
        )
