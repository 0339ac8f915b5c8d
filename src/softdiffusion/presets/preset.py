"""What a method consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..arguments import checked
from ..denoisers import BaseDenoiser, Denoiser, Preconditioning
from ..objectives import Objective
from ..process import SoftDiffusion
from ..samplers import Sampler

__all__ = ["Preset", "default_sampler"]


@checked
@dataclass(frozen=True)
class Preset:
    """A method, published or our own, in the parts of this package.

    Attributes:
        process: The forward process.
        objective: The loss.
        preconditioning: What the network predicts.
        sampler: Builds the method's sampler from a denoiser alone, for it knows the process whose
            noise it draws; keywords such as `steps` replace the method's own.
        source: The paper, and the code where the paper leaves something to it.
        notes: What was chosen here, and what differs from the paper.
    """

    process: SoftDiffusion
    objective: Objective
    preconditioning: Preconditioning
    sampler: Callable[..., Sampler]
    source: str
    notes: str

    def denoiser(self, backbone: nn.Module) -> Denoiser:
        """The network, with the method's process and preconditioning."""
        return Denoiser(backbone, self.process, self.preconditioning)


def default_sampler(
    cls: type[Sampler], process: SoftDiffusion, **defaults: Any
) -> Callable[..., Sampler]:
    """Returns a function that builds a sampler of the process from a denoiser.

    Arguments:
        cls: The sampler.
        process: The process whose noise the sampler draws.
        defaults: The method's own options, which keywords of the function replace.
    """

    def build(denoiser: BaseDenoiser, **options: Any) -> Sampler:
        return cls(process, denoiser, **(defaults | options))

    return build
