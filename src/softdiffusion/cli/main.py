"""Entry point of the command."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

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
    command = "softdiffusion"
    try:
        choice = parser.parse_args(arguments)
        command += f" {choice.subcommand}"
        chosen = choice[choice.subcommand]
        if "out" in chosen:
            _check_folder(chosen.out)
        COMMANDS[choice.subcommand].run(chosen)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"{command}: {_sentence(error)}")
    except torch.OutOfMemoryError:
        sys.exit(f"{command}: The memory of the GPU is full; give a smaller --batch_size.")
    except KeyboardInterrupt:
        sys.exit(f"{command}: stopped; give the same command again.")


def _check_folder(out: Path) -> None:
    """Checks that a folder can be there before any work is done for it."""
    for path in (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise ValueError(f"--out is a folder, but {path} is a file; choose another place.")


def _sentence(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"A file of arguments is not text ({error}); save it as UTF-8."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return plain(str(error))


if __name__ == "__main__":
    main()
