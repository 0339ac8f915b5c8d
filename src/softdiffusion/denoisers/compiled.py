"""Networks compiled by torch."""

import os
import shutil
from typing import TypeVar

from torch import nn

from ..arguments import checked
from .denoiser import BaseDenoiser, Denoiser

__all__ = ["check_compilable", "compiled"]

Same = TypeVar("Same", bound=BaseDenoiser)


@checked
def compiled(denoiser: Same, graphs: bool = True) -> Same:
    """A denoiser whose networks torch compiles, in place, when they are first called.

    What is around a network stays Python, its checks and sentences with it. Modules and weights
    keep their names, so that saving, loading and averages do not notice; a copy, and so an
    average, is plain until it is compiled itself. Results differ by rounding. Batches of a second
    size are compiled once more, and those of any further size run by that.

    On a GPU the network is replayed as a CUDA graph, which spares small networks the launches.
    The next replay overwrites what it returns; what a denoiser predicts is computed from that, and
    is a tensor of its own. (This was written without a GPU at hand, and has not been run on one.)

    Arguments:
        denoiser: The denoiser, which is returned; on the device where it stays.
        graphs: Whether a GPU may replay graphs. Gradients that are added up can't come from them:
            the next replay overwrites those of the last.

    Raises:
        ValueError: If there is no network in it, or no compiler for that of a CPU.
    """
    check_compilable(denoiser)
    for network in _networks(denoiser):
        network.compile(mode="reduce-overhead" if graphs and _is_on_gpu(network) else None)
    return denoiser


def check_compilable(denoiser: BaseDenoiser, on_gpu: bool = False) -> None:
    """Raises what `compiled` would raise.

    Arguments:
        denoiser: The denoiser.
        on_gpu: Whether it will be moved to a GPU before.

    Raises:
        ValueError: As `compiled`.
    """
    networks = _networks(denoiser)
    if not networks:
        raise ValueError(f"There is no network to compile in a {type(denoiser).__name__}.")
    on_cpu = not on_gpu and not all(map(_is_on_gpu, networks))
    if on_cpu and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
        raise ValueError("To compile for a CPU takes a C++ compiler; install g++.")


def _networks(denoiser: BaseDenoiser) -> list[nn.Module]:
    return [part.backbone for part in denoiser.modules() if isinstance(part, Denoiser)]


def _is_on_gpu(network: nn.Module) -> bool:
    return any(weight.is_cuda for weight in network.parameters())
