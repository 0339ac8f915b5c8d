"""The processes that share a training."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import PartialState

__all__ = ["processes"]


def processes() -> "PartialState":
    """This process among those that torchrun or accelerate started together.

    Without a GPU they share the processor. Accelerate has to be told so: left alone, each would
    take itself for the only one, and write over the others.
    """
    from accelerate import PartialState

    return PartialState(cpu=not torch.accelerator.is_available())
