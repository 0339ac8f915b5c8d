"""What a configuration may name: the classes that are built from one, and what fits an argument.

A stranger's configuration chooses classes and arguments, so both are bounded here. `CLASSES` lists
the classes of the package that open no file, import nothing and run no function but their own; an
argument takes only what its annotation says, and never a path.
"""

import functools
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "ANYTHING",
    "CLASSES",
    "PACKAGE",
    "Slot",
    "alternatives",
    "arguments_of",
    "class_of",
    "described",
    "fits",
    "is_within",
    "items_of",
    "takes",
]

PACKAGE = "softdiffusion"

#: The alternatives of an annotation, of which a value must fit one.
Slot = tuple[Any, ...]

#: Takes every class and every plain value. `Any`, in the package's own annotations, is a number.
ANYTHING: Slot = (object,)

#: The classes that may be built without trust, by the part of the package that exports them.
CLASSES = {
    "corruptions": [
        "AnisotropicBlur",
        "Butterworth",
        "ChannelMixing",
        "Composition",
        "DefocusBlur",
        "Downsample",
        "FadingMask",
        "GaussianBlur",
        "Greyscale",
        "GrowingBox",
        "HeatKernel",
        "IdealLowPass",
        "Identity",
        "KernelBlur",
        "LinearPhysics",
        "MaskImage",
        "MatrixFamily",
        "MotionBlur",
        "Outpainting",
        "Pixelate",
        "PowerLaw",
        "RandomPixels",
        "RandomProjection",
        "Scaling",
        "UndersampledFourier",
    ],
    "denoisers": [
        "CleanPrediction",
        "ClippedDenoiser",
        "DPSDenoiser",
        "Denoiser",
        "DiffusersUNet",
        "EDM",
        "EMA",
        "GaussianDenoiser",
        "GuidedDenoiser",
        "NoisePrediction",
        "PosteriorDenoiser",
        "Residual",
        "ScaledResidual",
        "SmallUNet",
        "VelocityPrediction",
    ],
    "objectives": [
        "CleanRegression",
        "DenoisingScoreMatching",
        "DriftMatched",
        "LookAhead",
        "SoftScoreMatching",
        "StepMatched",
    ],
    "operators": [
        "Basis",
        "ChannelBasis",
        "ChannelMatrix",
        "DCT",
        "Haar",
        "Hartley",
        "Matrix",
        "Pixel",
        "RandomBasis",
        "Scale",
    ],
    "presets": ["BlurringKernel", "BlurringNoise", "EDMRegression", "GaussianMasks", "ScaleSpace"],
    "priors": ["DataPrior", "GaussianPrior", "MixturePrior"],
    "process": ["SoftDiffusion"],
    "samplers": [
        "AncestralSampler",
        "BridgeSampler",
        "DeterministicSampler",
        "HeunSampler",
        "KarrasSampler",
        "MomentumSampler",
        "MultistepSampler",
        "NaiveSampler",
        "NuSampler",
        "ProbabilityFlowSampler",
        "Step",
    ],
    "schedules": [
        "Constant",
        "Cosine",
        "DDPMAmplitudeLoss",
        "DDPMNoise",
        "Geometric",
        "Karras",
        "Linear",
        "Schedule",
        "Selection",
        "Sine",
        "Table",
        "VPAmplitudeLoss",
        "VPNoise",
        "Wasserstein",
    ],
}

_NUMBERS = (bool, int, float)


def class_of(class_path: str) -> type:
    """The class of the package that a dotted path names, if it is one of `CLASSES`.

    Raises:
        ValueError: If it is another class, or none.
    """
    module, _, name = class_path.rpartition(".")
    if module not in (PACKAGE, *(f"{PACKAGE}.{part}" for part in CLASSES)):
        raise ValueError(
            f"The class {class_path} can't be imported for a configuration, which takes those of "
            f"{PACKAGE} and its parts {', '.join(CLASSES)} alone."
        )
    for part, names in CLASSES.items():
        if name in names:
            cls: type = getattr(importlib.import_module(f"{PACKAGE}.{part}"), name)
            if getattr(sys.modules[module], name, None) is cls:  # the root exports but some
                return cls
    raise ValueError(
        f"There is no class {class_path} that a configuration may name; check its spelling and "
        "the version."
    )


def is_within(name: str, root: str) -> bool:
    """Whether a dotted name is that of a module, or lies in it."""
    return name == root or name.startswith(f"{root}.")


@functools.cache
def arguments_of(cls: type) -> dict[str, Slot]:
    """The alternatives of every argument of a class of the package, by its annotations."""
    parameters = inspect.signature(cls, eval_str=True).parameters.values()
    return {parameter.name: alternatives(parameter.annotation) for parameter in parameters}


def alternatives(annotation: Any) -> Slot:
    """The members of a union, or the annotation alone; no string where a path would do.

    A class that takes a path opens it. Saved models hold what was read as a tensor.
    """
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    return tuple(m for m in members if m is not Path and not (m is str and Path in members))


def items_of(slot: Slot) -> Slot:
    """The alternatives of the items of a list, if lists are among the alternatives."""
    if slot == ANYTHING or Any in slot:
        return slot
    lists = [a for a in slot if typing.get_origin(a) in (Sequence, list, tuple)]
    inner = [i for a in lists for i in typing.get_args(a) if i is not ...]
    return tuple(alternative for item in inner for alternative in alternatives(item))


def fits(value: Any, slot: Slot) -> bool:
    """Whether a plain value that is no list or dictionary is one of the alternatives."""
    if slot == ANYTHING:
        return True
    if value is None:
        return types.NoneType in slot
    if isinstance(value, str):
        named = [
            word for a in slot for word in typing.get_args(a) if typing.get_origin(a) is Literal
        ]
        return str in slot or value in named
    return _numeric(slot)


def takes(cls: type, slot: Slot, trusted: bool = False) -> bool:
    """Whether objects of a class are one of the alternatives; a protocol takes trusted ones."""
    kinds = [a for a in slot if isinstance(a, type) and a not in (*_NUMBERS, str)]
    if trusted and any(map(_is_protocol, kinds)):
        return True
    return any(issubclass(cls, kind) for kind in kinds if not _is_protocol(kind))


def described(slot: Slot) -> str:
    """The alternatives in words."""
    words = []
    for alternative in slot:
        origin = typing.get_origin(alternative)
        if alternative is types.NoneType:
            words.append("None")
        elif origin is Literal:
            words.extend(map(repr, typing.get_args(alternative)))
        elif origin in (Sequence, list, tuple):
            words.append("a list")
        elif alternative in (int, float, Any):
            words.append("a number")
        else:
            words.append(f"a {alternative.__name__}" if isinstance(alternative, type) else "")
    return " or ".join(dict.fromkeys(word for word in words if word)) or "nothing of a file"


def _numeric(slot: Slot) -> bool:
    return Any in slot or any(number in slot for number in _NUMBERS)


def _is_protocol(kind: type) -> bool:
    return getattr(kind, "_is_protocol", False)
