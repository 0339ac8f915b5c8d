"""The argument parser: jsonargparse with errors of one line and bounded YAML."""

import importlib.util
import json
import os
import pkgutil
import re
import sys
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import (
    ArgumentParser,
    Namespace,
    get_loader,
    set_loader,
    set_parsing_settings,
)
from jsonargparse.typing import Path_fr

from .. import __path__ as package_path
from ..files import YAML_ERRORS, check_yaml, read_text
from ..slots import CLASSES, PACKAGE
from .preset import gather_preset
from .spelling import spelled
from .voice import speaks
from .wording import plain

__all__ = ["Parser", "confine"]

#: Its name for YAML that is bounded.
_MODE = "bounded"

#: Packages whose classes a recipe may name without a word: that of this command, and torch.
_KNOWN = ("softdiffusion", "torch")

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")

#: The argument that may be a file of its own; jsonargparse would wait for a pipe.
_FILED = "schedule"

#: The recipes that are being read, for one may name another one as its config.
_being_read: list[str] = []

#: What tells a file from a class that may be missing.
_SUFFIXES = (".yaml", ".yml", ".json")


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
        return super().parse_args(_with_schedule(arguments), namespace, **options)

    def parse_path(self, path: str | os.PathLike[str], *args: Any, **options: Any) -> Namespace:
        """Parses a file, as UTF-8 whatever the locale; paths in it are relative to it."""
        text, place = read_text(Path(path)), os.path.realpath(path)
        if place in _being_read:
            raise ValueError(
                f"{path} names a recipe as its config, which names it again; write both into one."
            )
        _being_read.append(place)
        try:
            with Path_fr(path).relative_path_context():
                text = _with_file(text)
                return self.parse_string(text, os.path.basename(path), *args, **options)
        finally:
            _being_read.remove(place)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the message as one line and exits."""
        if not self.exit_on_error:  # this parser reads the arguments of a class for another one
            raise ArgumentError(None, message) from ex
        prog = getattr(ex, "subcommand_parser", self).prog
        said = f"{prog}: {plain(message).rstrip('.')}; see {prog} --help\n"
        self.exit(2, said if speaks() else None)


def confine(trust: Sequence[str]) -> None:
    """Lets this process's arguments name only parts of models, and what lies in trusted modules.

    Arguments:
        trust: The modules, as dotted names.
    """
    others = {module.name for module in pkgutil.iter_modules(package_path)} - CLASSES.keys()
    set_parsing_settings(
        import_path_denylist=["*", *(f"{PACKAGE}.{name}" for name in sorted(others))],
        import_path_allowlist=[PACKAGE, *trust],
    )


def _load(text: str) -> Any:
    """Reads YAML as jsonargparse does, within bounds, and says what it will import."""
    value = _bounded(text)
    for name in _classes(value):
        _announce(name)
    return value


def _bounded(text: str) -> Any:
    try:
        check_yaml(text)
        return get_loader("yaml")(text)
    except YAML_ERRORS as error:
        raise ValueError(f"it is no YAML: {error}") from None


def _with_file(recipe: str) -> str:
    """A recipe with the content of the file that it names as its schedule in the place of that."""
    try:
        content = _bounded(recipe)
    except (yaml.YAMLError, ValueError):  # the parser says what is wrong with it
        return recipe
    if not isinstance(content, dict):
        return recipe
    if not isinstance(content.get("config"), str | list | None):
        raise ValueError(
            f"The config of a recipe is the path of another one, but is {content['config']}; leave "
            "it out."
        )
    if not _is_file(content.get(_FILED)):
        return recipe
    return yaml.safe_dump({**content, _FILED: _read(content[_FILED])}, sort_keys=False)


def _with_schedule(arguments: Sequence[str]) -> list[str]:
    """The same for arguments as they are typed."""
    found = list(arguments)
    for index, argument in enumerate(found):
        flag, equals, value = argument.partition("=")
        if flag == f"--{_FILED}":
            place = index if equals else index + 1
            value = value if equals else "".join(found[place : place + 1])
            if _is_file(value):
                text = json.dumps(_read(value), default=str)
                found[place] = f"{flag}={text}" if equals else text
    return found


def _is_file(value: Any) -> bool:
    """Whether a value is the path of a file, and no name of a class or YAML by itself."""
    if (
        not isinstance(value, str)
        or value.lstrip().startswith(("{", "["))
        or not value.isprintable()
    ):
        return False
    return "/" in value or value.endswith(_SUFFIXES) or os.path.lexists(value)


def _read(path: str) -> Any:
    try:
        return _bounded(read_text(Path(path)))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}.") from None


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
