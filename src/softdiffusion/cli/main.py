"""Entry point of the command."""

import sys
from collections.abc import Sequence

from . import corrupt, evaluate, info, restore, sample, schedule, study, train
from .parser import Parser
from .wording import plain

__all__ = ["main"]

COMMANDS = {
    "corrupt": corrupt,
    "schedule": schedule,
    "train": train,
    "sample": sample,
    "evaluate": evaluate,
    "restore": restore,
    "info": info,
    "study": study,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a subcommand; a problem ends in one sentence on standard error and a non-zero code."""
    parser = Parser(prog="softdiffusion", description=sys.modules["softdiffusion"].__doc__)
    subcommands = parser.add_subcommands()
    for name, module in COMMANDS.items():
        subparser = module.parser()
        subcommands.add_subcommand(name, subparser, help=module.__doc__)
        subparser.prog = f"softdiffusion {name}"
    choice = parser.parse_args(arguments)
    try:
        COMMANDS[choice.subcommand].run(choice[choice.subcommand])
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"softdiffusion {choice.subcommand}: {plain(str(error))}")
    except KeyboardInterrupt:
        sys.exit(f"softdiffusion {choice.subcommand}: stopped; the same command goes on from here.")


if __name__ == "__main__":
    main()
