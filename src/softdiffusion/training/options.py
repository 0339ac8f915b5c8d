"""The settings of a training."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ..arguments import checked
from ..checks import check_range
from ..denoisers.power_ema import check_lengths

__all__ = ["TrainingOptions"]

Times = Literal["stratified", "importance"]
Precision = Literal["no", "bf16", "fp16"]
DecayShape = Literal["linear", "cosine"]

#: Larger ones list more images than memory has room for, before it is said.
_LARGEST_BATCH = 1_000_000

#: No machine has more cores.
_MOST_WORKERS = 4096


@checked
@dataclass(frozen=True)
class TrainingOptions:
    """How a denoiser is trained. All counts are counts of images, over all processes.

    Attributes:
        batch_size: Images a step.
        accumulate: The parts in which a process goes through its share of a batch, one after the
            other: the result is that of the whole batch, to rounding, in so much less memory for
            what the network computes. Dropout and statistics of batches differ.
        learning_rate: AdamW's, after the warm-up.
        weight_decay: AdamW's: the share of the weights, times the learning rate, that a step takes
            away. 0 is Adam.
        warmup: Images over which the learning rate grows linearly from zero.
        decay: Images over which the learning rate falls to zero at the end; 0 keeps it constant.
            Where the two are longer than the whole training, they share half of it in the same
            proportion.
        decay_shape: How it falls: in a straight line, or as half a period of a cosine.
        clip: The largest norm of the gradient; larger ones are scaled down.
        ema: The decay of the moving average of the weights, a step.
        ema_lengths: Relative lengths of averages by powers of time that are kept beside it, such as
            0.05 and 0.1, from which `softdiffusion ema` makes those of other lengths.
        ema_every: Images between two times at which these are kept.
        times: How times are drawn: spread evenly over each batch, or ("importance") in proportion
            to the root mean square of the losses seen at each level, with the loss divided by it.
        label_dropout: The share of labels left out, so that a network with classes learns to do
            without, as guidance needs.
        precision: The mixed precision of accelerate. fp16 needs a GPU; the scale of its loss is
            not kept in checkpoints, so a training that goes on may differ in its last bits.
        compile: Whether torch compiles the network, which takes a minute or so at the start, and on
            a GPU, without `accumulate`, replays it as a CUDA graph. Weights keep their names;
            results differ by rounding.
        workers: Processes that read and augment batches ahead, for each that trains; 0 leaves it to
            a thread beside a GPU, and reads between the steps of a processor. The batches are the
            same.
        log_every: Images between two rows of `stats.jsonl`.
        checkpoint_every: Images between two checkpoints.
        sample_every: Images between two sample grids; 0 draws none.
        validate_every: Images between two measurements of the loss on held-out images; 0 makes
            none.
        track: Trackers that show the training while it runs: `tensorboard`, `wandb`, `trackio`.

    Raises:
        ValueError: If a value is out of range or unknown.
    """

    batch_size: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: int = 6_400
    decay: int = 0
    decay_shape: DecayShape = "linear"
    clip: float = 1.0
    ema: float = 0.999
    ema_lengths: tuple[float, ...] = ()
    ema_every: int = 32_000
    times: Times = "stratified"
    label_dropout: float = 0.1
    precision: Precision = "no"
    compile: bool = False
    workers: int = 0
    log_every: int = 6_400
    checkpoint_every: int = 32_000
    sample_every: int = 0
    validate_every: int = 0
    track: tuple[str, ...] = ()

    def whole_batches(self, images: int) -> int:
        """A count of images, rounded up to whole batches."""
        return -(-images // self.batch_size) * self.batch_size

    def ramps(self, images: int) -> tuple[float, float]:
        """The warm-up and the decay of a training of so many images, in images."""
        both = self.warmup + self.decay
        share = 1.0 if both <= images else images / (2 * both)
        return share * self.warmup, share * self.decay

    def share(self, position: int, images: int) -> float:
        """The share of the learning rate in the step at a position of a training of so many images.

        It rises in a straight line and falls as `decay_shape` says.
        """
        warmup, decay = self.ramps(images)
        up = (position + self.batch_size) / warmup if warmup else 1.0
        down = min(1.0, (images - position) / decay) if decay else 1.0
        if self.decay_shape == "cosine":
            down = (1 - math.cos(math.pi * down)) / 2
        return min(1.0, up, down)

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "ema_every", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but is {getattr(self, name)}.")
        if self.workers > _MOST_WORKERS:
            raise ValueError(f"workers must be at most {_MOST_WORKERS:,}, but is {self.workers:,}.")
        if self.batch_size > _LARGEST_BATCH:
            raise ValueError(
                f"batch_size must be at most {_LARGEST_BATCH:,}, but is {self.batch_size:,}."
            )
        for name in ("warmup", "decay", "workers", "sample_every", "validate_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, but is {getattr(self, name)}.")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and > 0, but is {getattr(self, name):g}.")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema, a decay, must be in [0, 1), but is {self.ema:g}.")
        check_lengths(self.ema_lengths)
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be >= 0, but is {self.weight_decay:g}.")
        check_range("label_dropout", self.label_dropout, 0.0, 1.0)
        choices_of = {"times": Times, "precision": Precision, "decay_shape": DecayShape}
        for name, choices in choices_of.items():
            if getattr(self, name) not in get_args(choices):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(choices))}, but is "
                    f"{getattr(self, name)!r}."
                )
