"""Classes by their names, as the data that a model learned have them."""

from collections.abc import Sequence
from typing import Any

from .spelling import words

__all__ = ["captions", "numbers"]


def numbers(
    given: Sequence[Any] | None, names: Sequence[str] | None, classes: int
) -> list[int] | None:
    """The numbers of classes that were named, or given as numbers; -1 stays.

    Arguments:
        given: What `--labels` says, in any spelling: `cat dog`, `cat,dog`, `[0,1]`.
        names: The names of the classes, if the model has them. A word that is a name is the class
            of that name even where it looks like a number.
        classes: How many classes the model knows.

    Raises:
        ValueError: If there is no class of this name or number, or none is named, or the
            model knows none.
    """
    if given is None:
        return None
    if not classes:
        raise ValueError(
            "--labels was given, but the model knows no classes; leave it out, or train a network "
            "with --backbone.classes."
        )
    known = {name: number for number, name in enumerate(names or ())}
    named = [part for value in given for part in ([value] if str(value) in known else words(value))]
    if not named:
        raise ValueError("--labels is an empty list; name at least one class, or leave it out.")
    return [_number(str(word), known, classes) for word in named]


def _number(word: str, known: dict[str, int], classes: int) -> int:
    if word in known:
        return known[word]
    try:
        number = int(word)
    except ValueError:
        number = None
    if number is not None and (-1 <= number < classes or not known):
        return number  # where there are no names, whatever takes the number says its range
    if known:
        raise ValueError(
            f"The model has no class {word!r}; --labels takes {', '.join(known)}, and -1 for none."
        )
    raise ValueError(
        f"The model has no class {word!r}, and no names of classes were saved with it; --labels "
        f"takes numbers from 0 to {classes - 1}, and -1 for none."
    )


def captions(labels: Sequence[int] | None, names: Sequence[str] | None) -> list[str] | None:
    """The names of the classes of images; None where there is none to write."""
    if labels is None or names is None:
        return None
    return [names[label] if 0 <= label < len(names) else "" for label in labels]
