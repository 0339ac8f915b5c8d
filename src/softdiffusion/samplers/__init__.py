"""Samplers: one loop, and one formula each."""

from .deterministic import (
    DeterministicSampler,
    HeunSampler,
    MultistepSampler,
    ProbabilityFlowSampler,
)
from .sampler import Sampler, Step
from .stochastic import (
    AncestralSampler,
    BridgeSampler,
    MomentumSampler,
    NaiveSampler,
    NuSampler,
)

__all__ = [
    "AncestralSampler",
    "BridgeSampler",
    "DeterministicSampler",
    "HeunSampler",
    "MomentumSampler",
    "MultistepSampler",
    "NaiveSampler",
    "NuSampler",
    "ProbabilityFlowSampler",
    "Sampler",
    "Step",
]
