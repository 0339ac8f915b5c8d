"""Restoring images that are already degraded."""

from functools import partial

import torch
from torch import Tensor

from ..checks import check_data
from ..denoisers import BaseDenoiser, DPSDenoiser, GaussianDenoiser, PosteriorDenoiser
from ..operators import Convolution, Diagonal, LinearOperator, Matrix, Scale
from ..process import SoftDiffusion
from ..random import Generator, randn
from ..samplers import AncestralSampler, MultistepSampler
from .draw import Begin, SamplerFactory, draw
from .level import start_time, top_up
from .result import Restoration
from .severity import SeverityEstimate, SeverityEstimator
from .start import linear_model, posterior_start

__all__ = ["restore"]

_MULTISTEP = partial(MultistepSampler, steps=30)
_ANCESTRAL = partial(AncestralSampler, steps=100)


@torch.no_grad()
def restore(
    denoiser: BaseDenoiser,
    y: Tensor,
    *,
    severity: float | Tensor | None = None,
    sigma_y: float = 0.0,
    operator: LinearOperator | None = None,
    data: Tensor | None = None,
    sampler: SamplerFactory | None = None,
    samples: int = 1,
    dps_step: float | None = None,
    generator: Generator = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> Restoration:
    r"""Draws what degraded images may have been, :math:`x_0 \sim p(x_0 | y)`.

    Images degraded by the corruption that the model was trained on are a state of its process, at
    the time where the schedule has their severity: they get the noise that they lack there, and
    the sampler goes on from them. If the severity is not given, it is estimated.

    From one state only `AncestralSampler` draws from :math:`p(x_0 | x_t)`. The others are right
    over all images of a level, but make of one image one restoration, or nearly so: the noise that
    they draw is not what the corruption has taken. Their images may be as good.

    Images :math:`y = A x_0 + \sigma_y n` of another operator are restored by the whole way from
    :math:`x_1`, with a denoiser that knows y (`PosteriorDenoiser`). There every sampler
    but naive will do.

    Arguments:
        denoiser: The model.
        y: Degraded images, (B, C, ...), on the model's device.
        severity: Their severity in the unit of the model's corruption, or one an image, (B,).
        sigma_y: The standard deviation of the noise that they have, for images in [-1, 1]. Files
            of 8 bits have 0.0023 by their rounding alone; an estimated severity needs it.
        operator: A, the same for all images, if it is not of the model's corruption.
        data: Clean images like those of training, (N, C, ...). Their mean and spectrum are needed
            to estimate the severity, and for an operator.
        sampler: Makes the sampler from process and denoiser, such as
            `partial(sd.BridgeSampler, steps=50)`. Its times are scaled to the time of the images,
            so the number of steps stays. The default is `AncestralSampler` with 100 steps from a
            level (it needs a corruption that is diagonal in a transform, a convolution or a
            matrix, and never less at a higher level, unlike motion or defocus), and
            `MultistepSampler` with 30 for an operator.
        samples: The number S >= 1 of samples an image.
        dps_step: For an operator: `DPSDenoiser` with this step in the place of
            `PosteriorDenoiser`; needed if no transform makes the model's corruption diagonal.
        generator: One generator for all, or one an image, which then has the same samples whatever
            else is restored with it, up to rounding.
        batch_size: The number of samples drawn at a time, >= 1; None draws all images of equal
            severity at once.
        progress: Whether a progress bar is shown, over the batches.

    Raises:
        ValueError: If severity and operator are both given, or `dps_step` without an operator,
            data are needed and absent, severity or noise are outside of the schedule's range, an
            argument is out of range, or there is not one generator an image.
    """
    check_data(y)
    if samples < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(
            f"Samples and batch size must be at least 1, but are {samples} and {batch_size}."
        )
    if operator is not None and severity is not None:
        raise ValueError(
            f"The severity {severity} belongs to the model's corruption; give it or an operator."
        )
    if operator is None and severity is None and sigma_y == 0:
        raise ValueError(
            "An estimate of the severity relies on the noise in the images, but sigma_y is 0; give "
            "it (files of 8 bits have 0.0023), or the severity."
        )
    if operator is None and dps_step is not None:
        raise ValueError("DPS is for measurements by an operator; give one, or leave out dps_step.")
    process = denoiser.process
    estimate = known = None
    if operator is not None:
        t = torch.ones(len(y), dtype=torch.float64)
        linear = linear_model(process, _needed(data).to(y))
        begin = _by_operator(denoiser, y, operator, sigma_y, linear, dps_step)
        sampler = sampler or _MULTISTEP
    else:
        if severity is None:
            estimate = _estimated(process, data, y, sigma_y)
            severity = estimate.mean
        known = torch.as_tensor(severity, dtype=torch.float64)
        if known.ndim > 1 or known.numel() not in (1, len(y)):
            raise ValueError(
                f"{len(y)} images need one severity, or one each in the shape ({len(y)},), but it "
                f"has the shape {tuple(known.shape)}."
            )
        known = known.expand(len(y))
        t = start_time(process, known, sigma_y)
        begin = _at_level(denoiser, y, sigma_y)
        operator = process.corruption.at(known)
        sampler = sampler or _default(process, operator)
    found = draw(process, begin, t, sampler, samples, generator, batch_size, progress)
    misses = [(operator(x) - y).flatten(1).square().mean(dim=1).sqrt() for x in found]
    return Restoration(found, torch.stack(misses), t, known, estimate)


def _at_level(denoiser: BaseDenoiser, y: Tensor, sigma_y: float) -> Begin:
    """Starts from the images themselves."""

    def begin(t: Tensor, index: Tensor, source: Generator) -> tuple[Tensor, BaseDenoiser]:
        part = y[index]
        noise = randn(part.shape, source, part.dtype, part.device)
        return top_up(denoiser.process, part, t, sigma_y, noise), denoiser

    return begin


def _by_operator(
    denoiser: BaseDenoiser,
    y: Tensor,
    operator: LinearOperator,
    sigma_y: float,
    linear: GaussianDenoiser,
    dps_step: float | None,
) -> Begin:
    """Starts from the last level, given the images as measurements."""

    def begin(t: Tensor, index: Tensor, source: Generator) -> tuple[Tensor, BaseDenoiser]:
        part = y[index]
        start = posterior_start(linear, operator, part, sigma_y, source, denoiser.process)
        if dps_step is not None:
            return start, DPSDenoiser(denoiser, operator, part, sigma_y, dps_step)
        return start, PosteriorDenoiser(denoiser, operator, part, sigma_y, linear.spectrum)

    return begin


def _default(process: SoftDiffusion, operator: LinearOperator) -> SamplerFactory:
    """The sampler that draws from the posterior of one image."""
    if not isinstance(operator, Diagonal | Scale | Convolution | Matrix):
        raise ValueError(
            "The default sampler takes square roots, and those of "
            f"{type(process.corruption).__name__} are not known; name another one, such as "
            "BridgeSampler."
        )
    return _ANCESTRAL


def _needed(data: Tensor | None) -> Tensor:
    """The data, if there are any."""
    if data is None:
        raise ValueError(
            "Without a severity of the model's own corruption, clean images like those of training "
            "are needed for their mean and spectrum; pass them as data."
        )
    return check_data(data)


def _estimated(
    process: SoftDiffusion, data: Tensor | None, y: Tensor, sigma_y: float
) -> SeverityEstimate:
    images = _needed(data).to(y)
    if process.corruption.transform is None:
        raise ValueError(
            f"The severity of {type(process.corruption).__name__}, which no transform makes "
            "diagonal, can't be estimated; give it."
        )
    return SeverityEstimator.fit(GaussianDenoiser.fit(process, images), images, sigma_y)(y)
