"""The argument parser: jsonargparse with errors of one line."""

from typing import NoReturn

from jsonargparse import ArgumentParser

__all__ = ["Parser"]


class Parser(ArgumentParser):
    """Ends with one line on standard error and exit code 2 where an argument is wrong."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the message as one line and exits."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")
