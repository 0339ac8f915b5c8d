"""Modules of one's own that lie beside a study's file, imported where the study trusts them."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from ..presets import PRESETS
from ..quoting import shortened
from ..slots import CLASSES, PACKAGE, is_within

__all__ = ["check_classes", "check_modules", "importable"]


class _Beside:
    """Finds the named modules in one folder, and no others there.

    It stands behind Python's own finders: what lies in the folder takes no module's place.
    """

    def __init__(self, folder: Path, names: frozenset[str]) -> None:
        self.folder = folder
        self.names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(self.folder)]) if name in self.names else None


@contextmanager
def importable(folder: Path, trust: Sequence[str]) -> Iterator[None]:
    """Lets the modules that a study trusts be imported from its folder, within the block.

    Says so first, for their code is run.
    """
    finder = _Beside(folder.resolve(), _roots(trust))
    for name in sorted(finder.names):
        _tell(name, finder.find_spec(name))
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def check_modules(folder: Path, trust: Sequence[str], recipes: Iterable[Mapping[str, Any]]) -> None:
    """Raises unless every trusted module that recipes name can be found, without importing it.

    Says which of the folder's will be imported.

    Raises:
        ValueError: If there is none, or another module of the name comes before the one in the
            folder.
    """
    named = _roots(path for recipe in recipes for path in _class_paths(recipe))
    finder = _Beside(folder.resolve(), named & _roots(trust))
    for name in sorted(finder.names):
        own = finder.find_spec(name)
        finders = (BuiltinImporter, FrozenImporter, PathFinder)
        first = next((spec for one in finders if (spec := one.find_spec(name))), None)
        if own is None and first is None:
            raise ValueError(
                f"The study trusts {name}, but there is no {name}.py in {folder}; put it there, or "
                "take it out of trust."
            )
        if own and first and own.origin != first.origin:
            raise ValueError(
                f"The study trusts {name}, but {own.origin} would not be imported, since "
                f"{first.origin} has the same name; give the module another name."
            )
        _tell(name, own)


def check_classes(arm: str, recipe: Mapping[str, Any], trust: Sequence[str], path: Path) -> None:
    """Raises a ValueError if a recipe names a class that a model may not be loaded with.

    Arguments:
        arm: The arm's name.
        recipe: Its recipe.
        trust: The modules that are trusted beside softdiffusion.
        path: The study's file.
    """
    for class_path in _class_paths(recipe):
        module, _, name = class_path.rpartition(".")
        if not module or is_within(module, PACKAGE):
            _check_part(arm, class_path, name)
        elif not any(is_within(module, root) for root in trust):
            raise ValueError(
                f"The arm {arm} names {shortened(class_path)}, which is not softdiffusion's, and "
                "whose code would be run; if you trust it, write trust: "
                f"[{module.split('.')[0]}] into {path}."
            )


def _check_part(arm: str, class_path: str, name: str) -> None:
    """Raises unless a class of the package is a part of models, or a preset; others open files."""
    if name not in PRESETS and not any(name in names for names in CLASSES.values()):
        raise ValueError(
            f"The arm {arm} names {shortened(class_path)}, which is no part of a model; name one "
            f"of {PACKAGE}'s {', '.join(CLASSES)}."
        )


def _class_paths(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(path := value.get("class_path"), str):
            yield path
        for item in value.values():
            yield from _class_paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _class_paths(item)


def _roots(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in names)


def _tell(name: str, spec: ModuleSpec | None) -> None:
    if spec is not None:
        print(f"the study trusts {name}, whose code is run: {spec.origin}", flush=True)
