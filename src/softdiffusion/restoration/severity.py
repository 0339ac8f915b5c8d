"""How strongly an image was degraded, and how noisy it is, read off the image itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_data, check_range
from ..denoisers import GaussianDenoiser
from ..random import generators, randn
from .likelihood import log_likelihood

__all__ = ["Estimate", "SeverityEstimate", "SeverityEstimator"]

#: Levels of the schedule that are compared, and where the noise is unknown, too.
_LEVELS, _FEWER = 129, 65

#: What the interval should hold. On the images that it is calibrated with it has to hold two
#: points more: the moments were fitted to them, and of 200 the share itself is uncertain by 1.5 %.
_COVERAGE, _CALIBRATED = 0.95, 0.97

#: The temperatures that are tried, coldest first.
_TEMPERATURES = [2.0 ** (k / 2) for k in range(15)]

#: Training images on which a temperature is chosen.
_CALIBRATION_IMAGES = 200

#: Numbers of calibration images that are held at most, beyond those 200.
_NUMBERS = 50_000_000

#: Noise that is thought possible where none is named, for images in [-1, 1]: from less than the
#: rounding of 8 bits to as much as the image, in steps of 11 %.
_NOISES = torch.logspace(-3, 0, 65, dtype=torch.float64)

#: Where the noise is not named, a temperature holds from one of these to the next.
_GROUPS = torch.tensor([0.01, 0.03, 0.1], dtype=torch.float64)


@dataclass(frozen=True)
class Estimate:
    """What is known of a number of every image, such as its severity, each (B,), float64.

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

    def part(self, index: Tensor) -> "Estimate":
        """The estimate of some of the images, by their positions or a mask."""
        return Estimate(self.mean[index], self.std[index], self.low[index], self.high[index])

    def replaced(self, index: Tensor, by: "Estimate") -> "Estimate":
        """The estimate with another one of some of the images."""
        pairs = zip(vars(self).values(), vars(by).values(), strict=True)
        return Estimate(*(old.index_put((index,), new) for old, new in pairs))


#: Its name where it is that of a severity.
SeverityEstimate = Estimate


class SeverityEstimator:
    r"""Estimates severity and noise by the likelihood of the coefficients of Gaussian data.

    .. math:: Y_k \sim N(\lambda_k m_k,\; \lambda_k^2 c\, v_k + \sigma_y^2), \qquad
        p(\text{severity}, \sigma_y | y) \propto \Bigl(\frac1J \sum_c \prod_k p(Y_k)\Bigr)^{1/\tau}

    at the severities of the schedule, all its times being equally likely beforehand, and at the
    noise that is named or, where none is, at 65 levels from 0.001 to 1, equally likely in their
    logarithm. The contrast c is averaged over, so that a pale image does not pass for a blurred
    one. Real coefficients are neither Gaussian nor independent, which makes the likelihood too
    sure of itself: the temperature :math:`\tau` flattens it. Noise hides the more of that the
    stronger it is, so where it is unknown there is a temperature for each of four ranges of it, and
    an image takes that of the noise that is most likely.

    Arguments:
        linear: The process with mean and spectrum of its data.
        sigma_y: The noise of the images, >= 0; levels with less noise are left out. None if it is
            unknown: then it is estimated, and no level is left out.
        temperature: :math:`\tau \ge 1`, one for all or one for each range; `fit` chooses it.
        severities: The severities that are compared, (K,), in the place of the schedule's.

    Raises:
        ValueError: If no level has as much noise, or a temperature is below 1.
    """

    def __init__(
        self,
        linear: GaussianDenoiser,
        sigma_y: float | None = 0.0,
        temperature: float | Tensor = 1.0,
        severities: Tensor | None = None,
    ) -> None:
        check_range("The temperature", temperature, 1.0, torch.inf)
        self.linear = linear
        self.sigma_y = sigma_y
        self.temperature = temperature
        self.severities = _levels(linear, sigma_y) if severities is None else severities.double()
        self.noises = (
            _NOISES if sigma_y is None else torch.tensor([float(sigma_y)], dtype=torch.float64)
        )

    @classmethod
    def fit(
        cls,
        linear: GaussianDenoiser,
        data: Tensor,
        sigma_y: float | None = 0.0,
        seed: int = 0,
        severities: Tensor | None = None,
    ) -> "SeverityEstimator":
        """Takes the smallest temperatures at which the intervals hold 95 % of what is known.

        Arguments:
            linear: The process with mean and spectrum of its data.
            data: Clean images, of which 200, or 800 where the noise is unknown, are degraded and
                estimated, (N, C, ...).
            sigma_y: The noise of the images; None if it is unknown.
            seed: Chooses images, severities and noise.
            severities: The severities that are compared, in the place of the schedule's.
        """
        check_data(data)
        plain = cls(linear, sigma_y, severities=severities)
        (source,) = generators(seed, [0])
        ranges = 1 if sigma_y is not None else len(_GROUPS) + 1
        index = torch.randperm(len(data), generator=source)
        if sigma_y is None:  # of few images some are taken twice, with other noise
            index = index.repeat(-(-ranges * _CALIBRATION_IMAGES // len(data)))
        most = max(_CALIBRATION_IMAGES, _NUMBERS // data[0].numel())
        x0 = data[index[: min(ranges * _CALIBRATION_IMAGES, most)]]
        severity = plain.severities[_drawn(plain.severities, len(x0), source)]
        noise = plain.noises[_drawn(plain.noises, len(x0), source)]
        added = noise.to(x0).reshape(-1, *(1,) * (x0.ndim - 1))
        eta = randn(x0.shape, source, x0.dtype, x0.device)
        y = linear.process.corruption.at(severity)(x0) + added * eta
        likelihood = log_likelihood(linear, y, plain.severities, plain.noises)
        found = torch.full((ranges,), _TEMPERATURES[-1], dtype=torch.float64)
        group = plain._group(likelihood)
        for temperature in reversed(_TEMPERATURES):
            tried = cls(linear, sigma_y, temperature, severities)
            of_severity, of_noise = tried._posterior(likelihood)
            held = (of_severity.low <= severity) & (severity <= of_severity.high)
            sure = (of_noise.low <= noise) & (noise <= of_noise.high)
            for k in range(ranges):
                mine = group == k
                if mine.any() and min(_share(held[mine]), _share(sure[mine])) >= _CALIBRATED:
                    found[k] = temperature
        return cls(linear, sigma_y, found if sigma_y is None else float(found), severities)

    def __call__(self, y: Tensor) -> Estimate:
        """Estimates the severity of every image of a batch (B, C, ...)."""
        return self.with_noise(y)[0]

    def with_noise(self, y: Tensor) -> tuple[Estimate, Estimate]:
        """Estimates severity and noise of every image of a batch (B, C, ...)."""
        return self._posterior(log_likelihood(self.linear, y, self.severities, self.noises))

    def log_likelihood(self, y: Tensor) -> Tensor:
        """The logarithm of the likelihood at every one of `severities`, (B, K), at temperature 1.

        Arguments:
            y: Images, (B, C, ...).
        """
        return log_likelihood(self.linear, y, self.severities, self.noises).logsumexp(dim=2)

    def _group(self, likelihood: Tensor) -> Tensor:
        """The range in which the most likely noise of every image lies, (B,)."""
        if len(self.noises) == 1:
            return torch.zeros(len(likelihood), dtype=torch.int64)
        likeliest = likelihood.logsumexp(dim=1).argmax(dim=1)
        return torch.bucketize(self.noises[likeliest], _GROUPS)

    def _posterior(self, likelihood: Tensor) -> tuple[Estimate, Estimate]:
        temperature = torch.as_tensor(self.temperature, dtype=torch.float64)
        if temperature.ndim:
            temperature = temperature[self._group(likelihood)][:, None]
        weights = torch.softmax(likelihood.flatten(1) / temperature, dim=1).view_as(likelihood)
        severity = Estimate(*_moments(weights.sum(dim=2), self.severities))
        return severity, Estimate(*_moments(weights.sum(dim=1), self.noises))


def _levels(linear: GaussianDenoiser, sigma_y: float | None) -> Tensor:
    """The severities of the schedule, at levels with at least this noise."""
    count = _FEWER if sigma_y is None else _LEVELS
    times = torch.linspace(0, 1, count, dtype=torch.float64)
    severities, sigmas = linear.process.schedule(times)
    if sigma_y is None:
        return severities.unique()
    noise = check_range("The noise sigma_y", sigma_y, 0.0, torch.inf)
    severities = severities[sigmas >= noise].unique()
    if not len(severities):
        raise ValueError(
            f"The images have noise of {sigma_y:g}, but the process reaches only "
            f"{sigmas[-1]:.3g}, so they are on none of its levels; restore them by "
            "their operator: route='operator'."
        )
    return severities


def _drawn(values: Tensor, count: int, source: torch.Generator) -> Tensor:
    return torch.randint(len(values), (count,), generator=source)


def _share(held: Tensor) -> float:
    return float(held.double().mean())


def _moments(weights: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean, standard deviation and the ends of the interval, each (B,)."""
    mean = weights @ values
    variance = weights @ values**2 - mean**2
    below = weights.cumsum(dim=1)
    tail = (1 - _COVERAGE) / 2
    last = len(values) - 1
    low = (below < tail).sum(dim=1)
    high = (below < 1 - tail).sum(dim=1).clamp(max=last)
    # A value between two of the grid counts to both of them, so the interval is of whole steps.
    return (
        mean,
        variance.clamp(min=0).sqrt(),
        values[(low - 1).clamp(min=0)],
        values[(high + 1).clamp(max=last)],
    )
