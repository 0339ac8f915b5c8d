"""Training on accelerate: one readable loop, checkpoints, records."""

from .options import TrainingOptions
from .train import train

__all__ = ["TrainingOptions", "train"]
