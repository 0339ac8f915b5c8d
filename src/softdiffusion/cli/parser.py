"""The argument parser: jsonargparse with errors of one line."""

import sys
from argparse import ArgumentError
from collections.abc import Sequence
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace

from .spelling import spelled
from .wording import plain

__all__ = ["Parser"]


class Parser(ArgumentParser):
    """Ends with one line on standard error and exit code 2 where an argument is wrong."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *more: Any, **options: Any
    ) -> Namespace:
        """Reads the arguments, in short spellings too."""
        return super().parse_args(spelled(sys.argv[1:] if args is None else args), *more, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the message as one line and exits."""
        if not self.exit_on_error:  # this parser reads the arguments of a class for another one
            raise ArgumentError(None, message) from ex
        prog = getattr(ex, "subcommand_parser", self).prog
        self.exit(2, f"{prog}: {plain(message).rstrip('.')}; see {prog} --help\n")
