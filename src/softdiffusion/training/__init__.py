"""Training on accelerate: one readable loop, checkpoints, records."""

from .claim import claim
from .options import TrainingOptions
from .train import train

__all__ = ["TrainingOptions", "claim", "train"]
