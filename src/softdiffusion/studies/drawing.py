"""The samplers that a study draws with."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from torch import nn

from .. import samplers
from ..corruptions import GaussianBlur
from ..denoisers import BaseDenoiser, Denoiser, Residual
from ..presets import Preset, named
from ..process import SoftDiffusion
from ..quoting import shortened
from ..samplers import Sampler
from ..schedules import Geometric, Schedule
from .arm import Evaluation

__all__ = ["build_sampler", "check_sampler"]


def build_sampler(
    recipe: Mapping[str, Any], evaluation: Evaluation, calls: int, denoiser: BaseDenoiser
) -> Sampler:
    """The sampler with the largest number of steps that makes no more than so many calls.

    Arguments:
        recipe: The recipe of the arm, whose preset may bring a sampler of its own.
        evaluation: Which sampler, with which options.
        calls: The number of network calls.
        denoiser: The model.

    Raises:
        ValueError: If even one step makes more calls.
    """
    build: Callable[..., Sampler]
    if evaluation.sampler == "own":
        build = partial(named(recipe["preset"]).sampler, denoiser)
    else:
        build = partial(getattr(samplers, evaluation.sampler), denoiser.process, denoiser)
    for steps in range(calls, 0, -1):
        sampler = build(steps=steps, **evaluation.options)
        if sampler.nfe <= calls:
            return sampler
    raise ValueError(
        f"{evaluation.sampler} makes more than {calls} calls even in one step; ask for more."
    )


def check_sampler(arm: str, recipe: Mapping[str, Any], evaluation: Evaluation) -> None:
    """Builds what an arm's model will be measured by, before that is trained.

    Raises:
        ValueError: If there is no such sampler or preset, or it has no such options.
    """
    if evaluation.sampler == "own":
        if recipe.get("preset") is None:
            raise ValueError(
                f"The arm {arm} has no preset, and so no sampler of its own; name a sampler."
            )
    else:
        kind = getattr(samplers, evaluation.sampler, None)
        if not isinstance(kind, type) or not issubclass(kind, Sampler) or inspect.isabstract(kind):
            raise ValueError(
                f"There is no sampler {evaluation.sampler!r} in softdiffusion.samplers."
            )
    try:
        own = evaluation.sampler == "own"
        denoiser = _of_preset(named(recipe["preset"])) if own else _stand_in()
        for calls in evaluation.calls:
            build_sampler(recipe, evaluation, calls, denoiser)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        told = str(error) or type(error).__name__
        raise ValueError(
            f"The arm {arm} can't be measured by {evaluation.sampler} with the options "
            f"{shortened(dict(evaluation.options))}: {' '.join(told.split())}"
        ) from None


def _of_preset(preset: Preset) -> Denoiser:
    return preset.denoiser(nn.Identity())


@cache
def _stand_in() -> Denoiser:
    """What other samplers are checked on, since an arm's own process comes with its training."""
    schedule = Schedule(Geometric(0.2, 4.0), Geometric(0.02, 0.2))
    return Denoiser(nn.Identity(), SoftDiffusion(GaussianBlur(), schedule), Residual())
