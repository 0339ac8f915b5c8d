"""Samplers by their names, and how many steps they take."""

import inspect
from collections.abc import Callable
from typing import Any

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from .. import samplers
from ..denoisers import BaseDenoiser
from ..process import SoftDiffusion
from ..samplers import Sampler
from .parser import Parser
from .spelling import SAMPLERS

__all__ = ["add_sampler", "sampler_class", "set_steps"]


def sampler_class(name: str) -> type[Sampler]:
    """The class of a sampler, by its name or by that of the class.

    Raises:
        ValueError: If there is none.
    """
    kind = SAMPLERS.get(name, name)
    if kind not in SAMPLERS.values():
        raise ValueError(f"Unknown sampler {name!r}; use one of {', '.join(SAMPLERS)}.")
    found: type[Sampler] = getattr(samplers, kind)
    return found


def add_sampler(parser: Parser, default: dict[str, Any] | None, otherwise: str = "") -> None:
    """Adds `--sampler` and `--steps`.

    Arguments:
        parser: The parser of a command.
        default: The sampler that is taken where none is named, by class path and arguments.
        otherwise: What the help says of a command that chooses by itself.
    """
    kind = Callable[[SoftDiffusion, BaseDenoiser], Sampler]
    parser.add_argument(
        "--sampler",
        type=kind if default else kind | None,
        default=default,
        help=f"{', '.join(SAMPLERS)}; arguments follow, such as --sampler.shift 3. {otherwise}",
    )
    parser.add_argument(
        "--steps", type=PositiveInt | None, default=None, help="Steps of the sampler."
    )


def set_steps(parser: Parser, arguments: Namespace, default: str = "multistep") -> None:
    """Gives the sampler the number of `--steps`, if there is one.

    Arguments:
        parser: The parser of the command.
        arguments: What the parser read, before it is instantiated.
        default: The name of the sampler that takes the steps where none was chosen.

    Raises:
        ValueError: If `--sampler.steps` says another number.
    """
    if arguments.steps is None:
        return
    if arguments.sampler is None:
        path = f"softdiffusion.{SAMPLERS[default]}"
        arguments.sampler = Namespace(class_path=path, init_args=Namespace())
    chosen = arguments.sampler.init_args
    said = chosen.get("steps")
    if said not in (None, arguments.steps, *_unsaid(parser, arguments.sampler.class_path)):
        raise ValueError(
            f"--steps says {arguments.steps}, but --sampler.steps says {said}; give one of them."
        )
    chosen.steps = int(arguments.steps)  # no subclass of int, which YAML does not write


def _unsaid(parser: Parser, class_path: str) -> list[Any]:
    """The steps that a sampler has where nobody says them."""
    defaults = [parser.get_default("sampler")]
    steps = [default["init_args"]["steps"] for default in defaults if default]
    kind = SAMPLERS.get(class_path.rsplit(".")[-1], class_path.rsplit(".")[-1])
    if kind in SAMPLERS.values():
        steps.append(inspect.signature(getattr(samplers, kind)).parameters["steps"].default)
    return steps
