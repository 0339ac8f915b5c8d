"""Training on accelerate: one readable loop, checkpoints, records."""

from .claim import RECIPE, claim
from .options import TrainingOptions
from .train import train

__all__ = ["RECIPE", "TrainingOptions", "claim", "train"]
