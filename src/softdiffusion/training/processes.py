"""The processes that share a training."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import distributed

if TYPE_CHECKING:
    from accelerate import Accelerator, PartialState

__all__ = ["check_precision", "from_first", "own_state", "processes"]

Made = TypeVar("Made")

#: How long processes wait for the first one, which may decode a million files, or fit a start.
_PATIENCE = timedelta(days=365)

#: Variables by which accelerate trains otherwise, and the values by which it does not; those of
#: `accelerate launch` among them.
_NO = ("", "0", "false", "no", "off", "f", "n")
_NEUTRAL = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1",),
    "ACCELERATE_DYNAMO_BACKEND": ("no",),
    "ACCELERATE_FP8_BACKEND": ("no",),
    "ACCELERATE_DOWNCAST_BF16": ("",),
    "ACCELERATE_USE_DEEPSPEED": _NO,
    "ACCELERATE_USE_FSDP": _NO,
    "ACCELERATE_USE_MEGATRON_LM": _NO,
    "ACCELERATE_USE_PARALLELISM_CONFIG": _NO,
    "XLA_USE_BF16": _NO,
    "XLA_DOWNCAST_BF16": _NO,
}


def processes() -> "PartialState":
    """This process among those that torchrun or accelerate started together.

    Without a GPU they share the processor. Accelerate has to be told so: left alone, each would
    take itself for the only one, and write over the others.

    Raises:
        ValueError: If a variable of the environment has accelerate train otherwise than the run's
            configuration says.
    """
    from accelerate import PartialState

    for name, neutral in _NEUTRAL.items():
        value = os.environ.get(name)
        if value is not None and value.lower() not in neutral:
            raise ValueError(
                f"The environment variable {name} is {value!r}, which would change the training "
                f"unseen by its configuration; unset {name}."
            )
    on_cpu = not torch.accelerator.is_available()
    return PartialState(cpu=on_cpu, timeout=_PATIENCE)


def from_first(make: Callable[[], Made]) -> Made:
    """What the first of the processes that train together makes, for all of them.

    It is made once, and so costs its time and memory once. Once `processes` was called, all of
    them have to ask for it; an error of the first is raised in all.
    """
    if not distributed.is_available() or not distributed.is_initialized():
        return make()
    told: list[Any] = [None]
    if distributed.get_rank() == 0:
        try:
            told = [make()]
        except Exception as error:  # or the others would wait for what never comes
            told = [error]
    distributed.broadcast_object_list(told)
    if isinstance(told[0], Exception):
        raise told[0]
    return cast(Made, told[0])


def check_precision(accelerator: "Accelerator", precision: str) -> None:
    """Raises unless the training has the precision of its options.

    Raises:
        ValueError: If the device lacks it, or the environment names another one.
    """
    if precision != "no" and not accelerator.native_amp:  # it would be ignored
        raise ValueError(f"The precision {precision} can't be had on {accelerator.device}; use no.")
    name = "ACCELERATE_MIXED_PRECISION"
    wanted = os.environ.get(name, "").lower()
    if wanted not in ("", "no", precision):
        raise ValueError(
            f"The environment variable {name} is {wanted!r}, but the precision of the training is "
            f"{precision}; unset {name}, or give --precision {wanted}."
        )


@contextmanager
def own_state() -> Iterator[None]:
    """Gives accelerate's state up at the end, unless it is the caller's.

    It belongs to the process and holds the precision, which a later training may want changed.
    """
    from accelerate.state import AcceleratorState, is_initialized

    is_callers = is_initialized()
    try:
        yield
    finally:
        if not is_callers:
            AcceleratorState._reset_state()
