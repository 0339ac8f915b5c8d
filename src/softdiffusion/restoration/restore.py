"""Restoring images that are already degraded."""

import warnings
from functools import partial

import torch
from torch import Tensor

from ..checks import ImageLike, check_count
from ..denoisers import BaseDenoiser, DPSDenoiser, PosteriorDenoiser
from ..operators import Convolution, Diagonal, LinearOperator, Matrix, Scale
from ..process import SoftDiffusion
from ..random import Generator, randn
from ..samplers import AncestralSampler, MultistepSampler
from .doubts import against_residuals
from .draw import Begin, SamplerFactory, draw
from .inputs import (
    InTypeOfWeights,
    check_clean,
    check_degraded,
    check_generators,
    check_values,
    working_type,
)
from .level import top_up
from .plan import Plan, make_plan
from .result import Restoration
from .route import Route
from .start import posterior_start

__all__ = ["follow", "restore"]

_MULTISTEP = partial(MultistepSampler, steps=30)
_ANCESTRAL = partial(AncestralSampler, steps=100)

#: The most samples of an image: more would tell mean and deviation no better than by 1 %.
_MOST_SAMPLES = 10_000


@torch.no_grad()
def restore(
    denoiser: BaseDenoiser,
    y: ImageLike,
    *,
    severity: float | Tensor | None = None,
    sigma_y: float | Tensor | None = None,
    operator: LinearOperator | None = None,
    data: ImageLike | None = None,
    route: Route = "auto",
    sampler: SamplerFactory | None = None,
    samples: int = 1,
    dps_step: float | None = None,
    generator: Generator = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> Restoration:
    r"""Draws what degraded images may have been, :math:`x_0 \sim p(x_0 | y)`.

    Images degraded by the corruption that the model was trained on have two routes. They are a
    state of its process, at the time where the schedule has their severity: they get the noise that
    they lack there, and the sampler goes on from them (the level's route). Where they lack much of
    it, that would hide what they show; they are then restored as measurements of any other operator
    are (the operator's route). What is not given, severity or noise, is estimated.

    From one state only `AncestralSampler` draws from :math:`p(x_0 | x_t)`. The others are right
    over all images of a level, but make of one image one restoration, or nearly so: the noise that
    they draw is not what the corruption has taken. Their images may be as good.

    Images :math:`y = A x_0 + \sigma_y n` of an operator are restored by the whole way from
    :math:`x_1`, with a denoiser that knows y (`PosteriorDenoiser`). There every sampler
    but naive will do.

    Arguments:
        denoiser: The model.
        y: Degraded images, (B, C, ...), on the model's device: a tensor or a NumPy array of images
            that were in [-1, 1], or pictures of Pillow.
        severity: Their severity in the unit of the model's corruption, or one an image, (B,).
        sigma_y: The standard deviation of the noise that they have, for images in [-1, 1], or one
            an image; files of 8 bits have 0.0023 by their rounding alone. None if it is unknown:
            then it is estimated. Without data, and for an operator, the images are then taken to
            have none.
        operator: A, the same for all images, if it is not of the model's corruption.
        data: Clean images like those of training, (N, C, ...). Their mean and spectrum are needed
            to estimate severity or noise, to choose the route, and for the operator's route.
        route: "auto" takes the operator's route where topping up would cost more than 1 dB by the
            data's spectrum, or an estimated noise is beyond the level's; "level" and "operator"
            are those routes.
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

    Returns:
        The samples in the type of `y`, with what is known of them.

    Warns:
        UserWarning: If topping up costs much and the operator's route is not taken, or the noise
            that was stated contradicts the images or the residuals.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If severity and operator are both given, or `dps_step` without an operator,
            data are needed and absent or of another shape, severity or noise are outside of the
            schedule's range, an argument is out of range, the images reach far beyond [-1, 1] or
            are complex, or there is not one generator an image.
    """
    images = check_degraded(denoiser, y, operator)
    plan = make_plan(
        denoiser,
        images,
        severity=severity,
        sigma_y=sigma_y,
        operator=operator,
        data=None if data is None else check_clean(data, images, operator),
        route=route,
        dps_step=dps_step,
    )
    found = follow(
        plan,
        denoiser,
        images,
        sampler=sampler,
        samples=samples,
        dps_step=dps_step,
        generator=generator,
        batch_size=batch_size,
        progress=progress,
    )
    for sentence in found.warnings:
        warnings.warn(sentence, UserWarning, stacklevel=2)
    return found


@torch.no_grad()
def follow(
    plan: Plan,
    denoiser: BaseDenoiser,
    y: Tensor,
    *,
    sampler: SamplerFactory | None = None,
    samples: int = 1,
    dps_step: float | None = None,
    generator: Generator = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> Restoration:
    """Restores images as planned; see `restore` for the arguments and errors.

    Arguments:
        plan: The plan for these images.
        denoiser: The model.
        y: The images, checked.
    """
    check_count("samples", samples, 1, _MOST_SAMPLES)
    if batch_size is not None:
        check_count("batch_size", batch_size, 1, 2**31)
    check_generators(generator, len(y))
    process, model = denoiser.process, InTypeOfWeights(denoiser)
    check_values(y, plan)
    parts, order = [], []
    for by_operator in (False, True):
        index = (plan.by_operator == by_operator).nonzero()[:, 0]
        if not len(index):
            continue
        part, images = plan.part(process, index), working_type(y[index.to(y.device)])
        begin = (_by_operator if by_operator else _at_level)(part, model, images, dps_step)
        make = sampler or (_MULTISTEP if by_operator else _default(process, part.operator))
        sources = _of(generator, index)
        drawn = draw(process, begin, part.t, make, samples, sources, batch_size, progress)
        parts.append(drawn)
        order.append(index)
    found = torch.cat(parts, dim=1)[:, torch.cat(order).argsort().to(y.device)]
    target = working_type(y)
    residual = torch.stack([_rms(plan.operator(x) - target) for x in found])
    doubts = against_residuals(process, residual, plan.sigma_y, plan.sigma_t, y[0].numel())
    return Restoration(
        samples=found.to(y.dtype),
        residual=residual,
        t=plan.t,
        severity=plan.severity,
        estimate=plan.estimate,
        sigma_y=plan.sigma_y,
        noise=plan.noise,
        route=tuple(plan.route),
        warnings=(*plan.warnings, *doubts),
    )


def _at_level(plan: Plan, denoiser: BaseDenoiser, y: Tensor, dps_step: float | None) -> Begin:
    """Starts from the images themselves."""

    def begin(t: Tensor, index: Tensor, source: Generator) -> tuple[Tensor, BaseDenoiser]:
        part = y[index.to(y.device)]
        noise = randn(part.shape, source, part.dtype, part.device)
        return top_up(denoiser.process, part, t, plan.sigma_y[index], noise), denoiser

    return begin


def _by_operator(plan: Plan, denoiser: BaseDenoiser, y: Tensor, dps_step: float | None) -> Begin:
    """Starts from the last level, given the images as measurements."""
    assert plan.linear is not None  # as the plan has checked
    linear = plan.linear

    def begin(t: Tensor, index: Tensor, source: Generator) -> tuple[Tensor, BaseDenoiser]:
        part, mine = y[index.to(y.device)], plan.part(denoiser.process, index)
        # One number stays a number, which keeps its precision whatever the type of the images.
        sigma_y = float(mine.sigma_y[0]) if len(mine.sigma_y.unique()) == 1 else mine.sigma_y
        start = posterior_start(linear, mine.operator, part, sigma_y, source, denoiser.process)
        if dps_step is not None:
            return start, DPSDenoiser(denoiser, mine.operator, part, sigma_y, dps_step)
        return start, PosteriorDenoiser(denoiser, mine.operator, part, sigma_y, linear.spectrum)

    return begin


def _of(generator: Generator, index: Tensor) -> Generator:
    """The sources of the noise of some of the images."""
    if generator is None or isinstance(generator, torch.Generator):
        return generator
    return [generator[i] for i in index.tolist()]


def _rms(values: Tensor) -> Tensor:
    """The root mean square of every image, (B,)."""
    return values.flatten(1).square().mean(dim=1).sqrt()


def _default(process: SoftDiffusion, operator: LinearOperator) -> SamplerFactory:
    """The sampler that draws from the posterior of one image."""
    if not isinstance(operator, Diagonal | Scale | Convolution | Matrix):
        raise ValueError(
            "The default sampler takes square roots, and those of "
            f"{type(process.corruption).__name__} are not known; name another one, such as "
            "BridgeSampler."
        )
    return _ANCESTRAL
