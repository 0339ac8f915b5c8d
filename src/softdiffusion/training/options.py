"""The settings of a training."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ..arguments import checked
from ..checks import check_range

__all__ = ["TrainingOptions"]

Times = Literal["stratified", "importance"]
Precision = Literal["no", "bf16", "fp16"]

#: Larger ones list more images than memory has room for, before it is said.
_LARGEST_BATCH = 1_000_000


@checked
@dataclass(frozen=True)
class TrainingOptions:
    """How a denoiser is trained. All counts are counts of images, over all processes.

    Attributes:
        batch_size: Images a step.
        learning_rate: Adam's, after the warm-up.
        warmup: Images over which the learning rate grows linearly from zero.
        decay: Images over which the learning rate falls linearly to zero at the end. Where the two
            are longer than the whole training, they share half of it in the same proportion.
        clip: The largest norm of the gradient; larger ones are scaled down.
        ema: The decay of the moving average of the weights, a step.
        times: How times are drawn: spread evenly over each batch, or ("importance") in proportion
            to the root mean square of the losses seen at each level, with the loss divided by it.
        label_dropout: The share of labels left out, so that a network with classes learns to do
            without, as guidance needs.
        precision: The mixed precision of accelerate. fp16 needs a GPU; the scale of its loss is
            not kept in checkpoints, so a training that goes on may differ in its last bits.
        log_every: Images between two rows of `stats.jsonl`.
        checkpoint_every: Images between two checkpoints.
        sample_every: Images between two sample grids; 0 draws none.

    Raises:
        ValueError: If a value is out of range or unknown.
    """

    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 6_400
    decay: int = 0
    clip: float = 1.0
    ema: float = 0.999
    times: Times = "stratified"
    label_dropout: float = 0.1
    precision: Precision = "no"
    log_every: int = 6_400
    checkpoint_every: int = 32_000
    sample_every: int = 0

    def whole_batches(self, images: int) -> int:
        """A count of images, rounded up to whole batches."""
        return -(-images // self.batch_size) * self.batch_size

    def ramps(self, images: int) -> tuple[float, float]:
        """The warm-up and the decay of a training of so many images, in images."""
        both = self.warmup + self.decay
        share = 1.0 if both <= images else images / (2 * both)
        return share * self.warmup, share * self.decay

    def __post_init__(self) -> None:
        for name in ("batch_size", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but is {getattr(self, name)}.")
        if self.batch_size > _LARGEST_BATCH:
            raise ValueError(
                f"batch_size must be at most {_LARGEST_BATCH:,}, but is {self.batch_size:,}."
            )
        for name in ("warmup", "decay", "sample_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, but is {getattr(self, name)}.")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and > 0, but is {getattr(self, name):g}.")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema, a decay, must be in [0, 1), but is {self.ema:g}.")
        check_range("label_dropout", self.label_dropout, 0.0, 1.0)
        for name, choices in (("times", Times), ("precision", Precision)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(choices))}, but is "
                    f"{getattr(self, name)!r}."
                )
