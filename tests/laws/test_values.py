"""Whatever an argument is given: one sentence that names it, or a finite result."""

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import softdiffusion as sd
from softdiffusion import operators, presets, schedules
from tests.laws.hostile import HOSTILE, verdict
from tests.physics import AsPhysics
from tests.registry import (
    EXAMPLES,
    IMAGES,
    NOISE,
    TIMES,
    class_denoiser,
    every_third,
    gaussian_denoiser,
    output,
    process,
    public_classes,
)

#: Records that the library hands out, and nobody makes.
RECORDS = {"Step", "Transition", "Selection"}


def arguments(example: object) -> dict[str, object]:
    """How an object was made: every argument is an attribute of the same name."""
    return {name: getattr(example, name) for name in inspect.signature(type(example)).parameters}


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - RECORDS))
def test_every_constructor_takes_or_refuses_whatever_it_is_given(name):
    cls, example = public_classes()[name], EXAMPLES[name]()
    check_every_argument(lambda **changed: output(cls(**changed)), arguments(example), name)


def check_every_argument(use: Callable[..., object], given: dict[str, Any], name: str) -> None:
    problems = []
    for argument in given:
        for value in HOSTILE:
            if argument in ("backbone", "denoiser", "callback") and callable(value):
                continue  # what a function of one's own says against its arguments is its own
            if argument in CALLED and is_senseless(value):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a system may be singular
                problem = verdict(partial(use, **given | {argument: value}), argument, name)
            if problem:
                problems.append(f"{argument}={str(value)[:60]!r}: {problem[:300]}")
    assert not problems, "\n".join(problems)


#: Images of single calls. Where they enter, in fits, starts and restorations, they are looked at;
#: at every call that would wait for the device.
CALLED = ("x", "x_t", "x0", "x0_hat", "noise", "b")


def is_senseless(value: object) -> bool:
    """Whether it is a batch that holds NaN, or is far out of range."""
    is_array = isinstance(value, np.ndarray) and value.ndim == 4
    images = torch.as_tensor(value) if is_array else value
    return isinstance(images, torch.Tensor) and bool(
        (~(images.to_dense().cfloat().abs() < 2)).any()
    )


def defaults(function: Callable[..., object]) -> dict[str, Any]:
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


def used_preset(preset: Callable[..., presets.Preset], **given: Any) -> torch.Tensor:
    """The states of a method, and what its sampler makes of them in two steps."""
    made = preset(**given)
    small = sd.Denoiser(torch.nn.Identity(), made.process, sd.CleanPrediction())
    small.backbone.forward = lambda x, t: x.clamp(-1, 1)
    states = made.process.perturb(IMAGES, TIMES, NOISE)
    losses = made.objective(made.process, small, IMAGES, TIMES, NOISE)
    return torch.cat([states.flatten(), losses, made.sampler(small, steps=2)(NOISE).flatten()])


LABELS = torch.tensor([0, 2, 1])
MANY = torch.randn(40, 1, 6, 5, generator=torch.Generator().manual_seed(4)).clamp(-1, 1)


def starts(prior: sd.Prior) -> torch.Tensor:
    return prior.sample(2, torch.Generator().manual_seed(0))


def noise_free(**given: Any) -> torch.Tensor:
    return sd.DeterministicSampler(process(), class_denoiser(), steps=2)(**given)


#: Functions and methods: how they are used, and arguments that are right.
FUNCTIONS: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    **{
        name: (partial(used_preset, preset), defaults(preset))
        for name, preset in presets.PRESETS.items()
    },
    "geometric": (
        lambda **given: output(schedules.geometric(**given)),
        {
            "severity": (0.1, 1.0),
            "sigma": (0.1, 1.0),
            "saturation": 1.0,
            "sigma_saturation": 0.5,
        },
    ),
    "linear": (
        lambda **given: output(schedules.linear(**given)),
        {"severity": (0.0, 1.0), "sigma": (0.0, 1.0)},
    ),
    "vp": (lambda **given: output(schedules.vp(**given)), defaults(schedules.vp)),
    "tabulated": (
        lambda **given: output(schedules.tabulated(**given)),
        {"severity": [0.0, 1.0], "sigma": [0.0, 1.0]},
    ),
    "wasserstein": (
        lambda **given: output(schedules.wasserstein(**given)),
        {
            "corruption": sd.GaussianBlur(),
            "data": IMAGES,
            "max_severity": 2.0,
            "sigma": (0.1, 0.2),
            "levels": 3,
            "candidates": 5,
        },
    ),
    "wasserstein_distance": (
        schedules.wasserstein_distance,
        {
            "corruption": sd.GaussianBlur(),
            "x": IMAGES,
            "severity_a": 0.5,
            "severity_b": 2.0,
            "method": "sliced",
            "samples": 3,
            "seed": 0,
        },
    ),
    "narrowest_path": (
        lambda **given: float(schedules.narrowest_path(**given)[-1]),
        {"distances": np.ones((4, 4)), "levels": 3},
    ),
    "generators": (
        lambda **given: float(len(sd.generators(**given))),
        {"seed": 1, "indices": [0, 1]},
    ),
    "from_physics": (
        lambda **given: operators.from_physics(**given)(IMAGES),
        {"physics": AsPhysics(operators.Scale(0.5))},
    ),
    "conjugate_gradients": (
        operators.conjugate_gradients,
        {"operator": operators.Scale(2.0), "b": IMAGES, "iterations": 3, "tolerance": 1e-3},
    ),
    "solve": (operators.solve, {"operator": operators.Scale(2.0), "b": IMAGES}),
    "to_matrix": (operators.Scale(2.0).to_matrix, {"shape": (1, 2, 3)}),
    "operator": (every_third().__call__, {"x": IMAGES}),
    "at": (lambda **given: sd.GaussianBlur().at(**given)(IMAGES), {"severity": 0.7}),
    "perturb": (process().perturb, {"x0": IMAGES, "t": TIMES, "noise": NOISE}),
    "score": (process().score, {"x_t": NOISE, "t": TIMES, "x0_hat": IMAGES}),
    "snr": (process().snr, {"t": TIMES, "spectrum": IMAGES[0].square()}),
    "sigma": (process().sigma, {"t": 0.4}),
    "transition": (lambda **given: process().transition(**given).rho, {"t": 0.4, "s": 0.2}),
    "GaussianDenoiser.fit": (
        lambda **given: output(sd.GaussianDenoiser.fit(**given)),
        {"process": process(), "data": IMAGES},
    ),
    "GaussianPrior.fit": (
        lambda **given: starts(sd.GaussianPrior.fit(**given)),
        {"process": process(), "data": MANY, "tolerance": 0.1, "max_modes": 3},
    ),
    "MixturePrior.fit": (
        lambda **given: starts(sd.MixturePrior.fit(**given)),
        {"process": process(), "data": MANY, "components": 2, "max_modes": 2, "seed": 0},
    ),
    "MixturePrior.fit_classes": (
        lambda **given: starts(sd.MixturePrior.fit_classes(**given)),
        {"process": process(), "data": MANY, "labels": torch.arange(40) % 3, "max_modes": 2},
    ),
    "Prior.sample": (
        EXAMPLES["GaussianPrior"]().sample,
        {"n": 3, "generator": None, "device": "cpu", "labels": LABELS},
    ),
    "Objective": (
        sd.SoftScoreMatching(),
        {
            "process": process(),
            "denoiser": gaussian_denoiser(),
            "x0": IMAGES,
            "t": TIMES,
            "noise": NOISE,
        },
    ),
    "Denoiser": (class_denoiser(), {"x_t": NOISE, "t": TIMES, "labels": LABELS}),
    "GaussianDenoiser": (gaussian_denoiser(), {"x_t": NOISE, "t": TIMES}),
    "GuidedDenoiser": (
        EXAMPLES["GuidedDenoiser"](),
        {"x_t": NOISE, "t": TIMES, "labels": LABELS},
    ),
    "DPSDenoiser": (EXAMPLES["DPSDenoiser"](), {"x_t": NOISE, "t": TIMES}),
    "PosteriorDenoiser": (EXAMPLES["PosteriorDenoiser"](), {"x_t": NOISE, "t": TIMES}),
    "EMA.update": (EXAMPLES["EMA"]().update, {"denoiser": class_denoiser()}),
    "Sampler": (
        noise_free,
        {
            "x1": NOISE,
            "generator": None,
            "callback": None,
            "batch_size": 2,
            "labels": LABELS,
        },
    ),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_takes_or_refuses_whatever_it_is_given(name):
    use, given = FUNCTIONS[name]

    check_every_argument(use, given, name)
