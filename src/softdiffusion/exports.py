"""All that `softdiffusion` exports, imported with torch when the first name is used."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from . import data, operators, presets, restoration, schedules
from .corruptions import (
    AnisotropicBlur,
    Butterworth,
    ChannelMixing,
    Composition,
    Corruption,
    DefocusBlur,
    Downsample,
    FadingMask,
    GaussianBlur,
    Greyscale,
    GrowingBox,
    HeatKernel,
    IdealLowPass,
    Identity,
    KernelBlur,
    LinearPhysics,
    MaskImage,
    MatrixFamily,
    MotionBlur,
    Outpainting,
    Pixelate,
    PowerLaw,
    RandomPixels,
    RandomProjection,
    Scaling,
    UndersampledFourier,
)
from .denoisers import (
    EDM,
    EMA,
    BaseDenoiser,
    CleanPrediction,
    ClippedDenoiser,
    Denoiser,
    DiffusersUNet,
    DPSDenoiser,
    GaussianDenoiser,
    GuidedDenoiser,
    NoisePrediction,
    PosteriorDenoiser,
    Preconditioning,
    Residual,
    ScaledResidual,
    SmallUNet,
    VelocityPrediction,
    compiled,
)
from .objectives import (
    CleanRegression,
    DenoisingScoreMatching,
    DriftMatched,
    LookAhead,
    Objective,
    SoftScoreMatching,
    StepMatched,
    soft_score_matching,
)
from .priors import DataPrior, GaussianPrior, MixturePrior, Prior
from .process import SoftDiffusion, Transition
from .random import generators
from .restoration import Restoration, restore
from .samplers import (
    AncestralSampler,
    BridgeSampler,
    DeterministicSampler,
    HeunSampler,
    KarrasSampler,
    MomentumSampler,
    MultistepSampler,
    NaiveSampler,
    NuSampler,
    ProbabilityFlowSampler,
    Sampler,
)
from .saving import load, save
from .schedules import Schedule
from .training import TrainingOptions, train

if TYPE_CHECKING:
    from . import metrics, plots

__all__ = [
    "EDM",
    "EMA",
    "AncestralSampler",
    "AnisotropicBlur",
    "BaseDenoiser",
    "BridgeSampler",
    "Butterworth",
    "ChannelMixing",
    "CleanPrediction",
    "CleanRegression",
    "ClippedDenoiser",
    "Composition",
    "Corruption",
    "DPSDenoiser",
    "DataPrior",
    "DefocusBlur",
    "Denoiser",
    "DenoisingScoreMatching",
    "DeterministicSampler",
    "DiffusersUNet",
    "Downsample",
    "DriftMatched",
    "FadingMask",
    "GaussianBlur",
    "GaussianDenoiser",
    "GaussianPrior",
    "Greyscale",
    "GrowingBox",
    "GuidedDenoiser",
    "HeatKernel",
    "HeunSampler",
    "IdealLowPass",
    "Identity",
    "KarrasSampler",
    "KernelBlur",
    "LinearPhysics",
    "LookAhead",
    "MaskImage",
    "MatrixFamily",
    "MixturePrior",
    "MomentumSampler",
    "MotionBlur",
    "MultistepSampler",
    "NaiveSampler",
    "NoisePrediction",
    "NuSampler",
    "Objective",
    "Outpainting",
    "Pixelate",
    "PosteriorDenoiser",
    "PowerLaw",
    "Preconditioning",
    "Prior",
    "ProbabilityFlowSampler",
    "RandomPixels",
    "RandomProjection",
    "Residual",
    "Restoration",
    "Sampler",
    "ScaledResidual",
    "Scaling",
    "Schedule",
    "SmallUNet",
    "SoftDiffusion",
    "SoftScoreMatching",
    "StepMatched",
    "TrainingOptions",
    "Transition",
    "UndersampledFourier",
    "VelocityPrediction",
    "compiled",
    "data",
    "generators",
    "load",
    "metrics",
    "operators",
    "plots",
    "presets",
    "restoration",
    "restore",
    "save",
    "schedules",
    "soft_score_matching",
    "train",
]

#: Modules that bring heavy dependencies, imported when first used.
_LAZY = ("metrics", "plots")


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return import_module(f".{name}", __package__)
    raise AttributeError(f"module {__package__!r} has no attribute {name!r}")
