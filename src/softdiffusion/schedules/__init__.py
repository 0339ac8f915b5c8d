"""Schedules: which severity and how much noise at which time."""

from .curves import (
    Constant,
    Cosine,
    Curve,
    Geometric,
    Linear,
    Sine,
    Table,
    VPAmplitudeLoss,
    VPNoise,
)
from .ddpm import DDPMAmplitudeLoss, DDPMNoise
from .distances import wasserstein_distance
from .karras import Karras
from .schedule import Schedule, cosine, geometric, linear, tabulated, vp
from .wasserstein import Selection, Wasserstein, narrowest_path, wasserstein

__all__ = [
    "Constant",
    "Cosine",
    "Curve",
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
    "cosine",
    "geometric",
    "linear",
    "narrowest_path",
    "tabulated",
    "vp",
    "wasserstein",
    "wasserstein_distance",
]
