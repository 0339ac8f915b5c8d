"""Training on accelerate: one readable loop, checkpoints, records."""

from .check import check, check_writable
from .claim import RECIPE, claim
from .memory import enough_memory
from .options import TrainingOptions
from .processes import processes
from .stopping import Stopped
from .train import train

__all__ = [
    "RECIPE",
    "Stopped",
    "TrainingOptions",
    "check",
    "check_writable",
    "claim",
    "enough_memory",
    "processes",
    "train",
]
