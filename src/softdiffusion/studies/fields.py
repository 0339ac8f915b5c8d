"""What the values in a study's file must be; whatever is not is told in one sentence."""

import math
from collections.abc import Mapping
from typing import Any

from ..quoting import shortened

__all__ = ["file_name", "listed", "mappings", "plain", "text", "whole"]

#: What no file's name may hold on one system or another.
_REFUSED = frozenset('<>:"/\\|?*')

#: Names that are devices on Windows, with any suffix.
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL"} | {f"{p}{n}" for p in ("COM", "LPT") for n in range(10)}
)

#: The longest name, in bytes; three of them and a number make the name of a picture.
_LONGEST = 80


def file_name(what: str, value: Any) -> str:
    """A text that can be a part of a file's name anywhere, and nothing more than that.

    Raises:
        ValueError: If it is no text, could lead elsewhere or be no file's name on some system.
    """
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a text, but is {shortened(value)}.")
    fits = (
        value[:1].isalnum()
        and value.isprintable()
        and not _REFUSED & set(value)
        and value[-1] not in " ."
        and value.partition(".")[0].upper() not in _DEVICES
        and len(value.encode()) <= _LONGEST
    )
    if not fits:
        raise ValueError(
            f"{what} becomes a part of file names, so it must begin with a letter or a digit and "
            f"have at most {_LONGEST} bytes, no space or dot at its end, and none of "
            f"{' '.join(sorted(_REFUSED))}, but is {shortened(value)}; choose another name."
        )
    return value


def plain(what: str, value: Any) -> None:
    """Raises a ValueError unless a value is made of what JSON has: it is compared, and hashed."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isprintable():
                raise ValueError(f"The keys of {what} must be texts, but one is {shortened(key)}.")
            plain(what, item)
    elif isinstance(value, list):
        for item in value:
            plain(what, item)
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"{what} holds {shortened(value)}, which is no text; write it anew.")
    elif isinstance(value, float):
        if math.isnan(value):
            raise ValueError(f"{what} holds nan, which is no number; write another value.")
    elif value is not None and type(value) not in (bool, int):
        raise ValueError(
            f"{what} holds {shortened(value)}, which is neither text nor number; write it in "
            "quotes."
        )


def mappings(what: str, value: Any) -> dict[str, Mapping[str, Any]]:
    """A mapping of names to mappings, which may be left empty."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be names with what they change, but are {shortened(value)}.")
    for key, changes in value.items():
        if not isinstance(key, str) or not isinstance(changes, Mapping | None):
            raise ValueError(
                f"{what} must be texts with what they change, but one is {shortened(key)}: "
                f"{shortened(changes)}."
            )
    return {key: changes or {} for key, changes in value.items()}


def listed(what: str, value: Any, kind: type = object) -> list[Any]:
    """A list that is not empty, of values of a kind."""
    if not isinstance(value, list) or not value or not all(isinstance(one, kind) for one in value):
        of_kind = " of texts" if kind is str else ""
        raise ValueError(
            f"{what} must be a list{of_kind} that is not empty, but are {shortened(value)}."
        )
    return value


def text(what: str, value: Any) -> None:
    """Raises a ValueError unless a value is a text of one line."""
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a text, but is {shortened(value)}.")
    if not value.isprintable():
        raise ValueError(f"{what} must be a text of one line, but is {shortened(value)}.")


def whole(what: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number between two others."""
    if type(value) is not int or value < least:
        raise ValueError(
            f"{what} must be a whole number of at least {least}, but is {shortened(value)}."
        )
    if most is not None and value > most:
        raise ValueError(f"{what} must be at most {most:,}, but is {shortened(value)}.")
    return value
