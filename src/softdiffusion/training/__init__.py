"""Training on accelerate: one readable loop, checkpoints, records."""

from ..memory import enough_memory
from ..signals import Stopped
from .check import check
from .claim import RECIPE, alone, claim, described
from .options import TrainingOptions
from .processes import processes
from .train import train

__all__ = [
    "RECIPE",
    "Stopped",
    "TrainingOptions",
    "alone",
    "check",
    "claim",
    "described",
    "enough_memory",
    "processes",
    "train",
]
