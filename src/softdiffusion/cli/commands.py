"""The subcommands, of which only the one that was asked for is imported."""

import os
from argparse import SUPPRESS, Action, Namespace
from collections.abc import Sequence
from importlib import import_module

from .. import __doc__, __version__
from ..files import check_writable
from .parser import Parser
from .spelling import empty_flag

__all__ = ["COMMANDS", "run"]

#: What each of them does.
COMMANDS = {
    "corrupt": "Draw a strip that shows the forward process on real images.",
    "schedule": "Choose corruption levels by measuring distances, and plot them.",
    "train": "Train a model; the same command goes on after a stop.",
    "ema": "Make averages of a training's weights, of any length.",
    "sample": "Draw images from a trained model.",
    "evaluate": "Measure how close a model's samples come to real images.",
    "restore": "Restore degraded images with a trained model.",
    "info": "Say what a saved model is.",
    "study": "Run a study, a grid of trainings that differ in one thing, or report what it gave.",
}


def run(arguments: Sequence[str]) -> None:
    """Reads the arguments and runs the subcommand that they name."""
    name = next((word for word in arguments if not word.startswith("-")), None)
    module = import_module(f".{name}", __package__) if name in COMMANDS else None
    parser = Parser(prog="softdiffusion", description=__doc__, version=__version__)
    _add_debug(parser)
    subcommands = parser.add_subcommands()
    for command, help_ in COMMANDS.items():
        subparser = module.parser() if module and command == name else Parser()
        _add_debug(subparser)
        subcommands.add_subcommand(command, subparser, help=help_)
        subparser.prog = f"softdiffusion {command}"
    if module and arguments[0] == name:
        parser.prog = f"softdiffusion {name}"  # whose --help explains what is wrong
    if empty := empty_flag(arguments):
        parser.error(f"{empty} is empty; give it a value")
    choice = parser.parse_args(arguments)
    chosen = choice[choice.subcommand]
    if "out" in chosen and os.environ.get("RANK", "0") == "0":  # of several processes one writes
        check_writable(chosen.out)
    assert module is not None  # the parser refuses other names
    module.run(chosen)


class _Debug(Action):
    """A flag that leaves nothing in the arguments; `main` looks for it before they are read."""

    def __call__(self, parser: object, namespace: Namespace, *rest: object) -> None:
        pass


def _add_debug(parser: Parser) -> None:
    parser.add_argument(
        "--debug",
        action=_Debug,
        nargs=0,
        dest=SUPPRESS,
        default=SUPPRESS,
        help="Print the traceback of an error.",
    )
