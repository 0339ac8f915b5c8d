"""Samplers: one loop, and a file for each formula."""

from .ancestral import AncestralSampler
from .bridge import BridgeSampler
from .deterministic import DeterministicSampler
from .heun import HeunSampler
from .karras import KarrasSampler
from .momentum import MomentumSampler
from .multistep import MultistepSampler
from .naive import NaiveSampler
from .nu import NuSampler
from .probability_flow import ProbabilityFlowSampler
from .sampler import Sampler, Step

__all__ = [
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
    "Sampler",
    "Step",
]
