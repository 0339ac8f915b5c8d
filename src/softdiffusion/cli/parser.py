"""The argument parser: jsonargparse with errors of one line and bounded YAML."""

import importlib.util
import os
import re
import sys
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentParser, Namespace, get_loader, set_loader
from jsonargparse.typing import Path_fr

from ..files import YAML_ERRORS, check_yaml, read_text
from .preset import gather_preset
from .spelling import spelled
from .wording import plain

__all__ = ["Parser"]

#: Its name for YAML that is bounded.
_MODE = "bounded"

#: Packages whose classes a recipe may name without a word: that of this command, and torch.
_KNOWN = ("softdiffusion", "torch")

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


class Parser(ArgumentParser):
    """Ends with one line on standard error and exit code 2 where an argument is wrong.

    YAML, in files and in arguments, is read within the bounds of `files.check_yaml`. A class that
    it names outside softdiffusion and torch is told on standard error before it is imported.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **({"parser_mode": _MODE} | options))

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None, **options: Any
    ) -> Namespace:
        """Parses the arguments, in short spellings too, those of a preset with its name."""
        arguments = gather_preset(spelled(sys.argv[1:] if args is None else args))
        return super().parse_args(arguments, namespace, **options)

    def parse_path(self, path: str | os.PathLike[str], *args: Any, **options: Any) -> Namespace:
        """Parses a file, as UTF-8 whatever the locale; paths in it are relative to it."""
        text = read_text(Path(path))
        with Path_fr(path).relative_path_context():
            return self.parse_string(text, os.path.basename(path), *args, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the message as one line and exits."""
        if not self.exit_on_error:  # this parser reads the arguments of a class for another one
            raise ArgumentError(None, message) from ex
        prog = getattr(ex, "subcommand_parser", self).prog
        self.exit(2, f"{prog}: {plain(message).rstrip('.')}; see {prog} --help\n")


def _load(text: str) -> Any:
    """Reads YAML as jsonargparse does, within bounds."""
    try:
        check_yaml(text)
        value = get_loader("yaml")(text)
    except YAML_ERRORS as error:
        raise ValueError(f"it is no YAML: {error}") from None
    for name in _classes(value):
        _announce(name)
    return value


def _classes(value: Any) -> list[str]:
    """The classes that a value may name: itself, or below a key `class_path`."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        named = [value["class_path"]] if isinstance(value.get("class_path"), str) else []
        return named + [n for v in value.values() if not isinstance(v, str) for n in _classes(v)]
    if isinstance(value, list):
        return [name for item in value if not isinstance(item, str) for name in _classes(item)]
    return []


def _announce(name: str) -> None:
    """Says that a module will be imported, for that runs its code."""
    if not _DOTTED.fullmatch(name):
        return
    package, module = name.partition(".")[0], name.rpartition(".")[0]
    if package in _KNOWN or module in sys.modules or importlib.util.find_spec(package) is None:
        return
    print(f"the recipe names {name}; {module} is imported now", file=sys.stderr)


set_loader(_MODE, _load, (yaml.YAMLError, ValueError))
