"""Training on accelerate: one readable loop, checkpoints, records."""

from .claim import RECIPE, claim
from .options import TrainingOptions
from .processes import processes
from .train import train

__all__ = ["RECIPE", "TrainingOptions", "claim", "processes", "train"]
