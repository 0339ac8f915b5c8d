"""Constructor arguments as configuration: objects written as plain data and read back.

An object is written as `{"class_path": "softdiffusion.GaussianBlur", "init_args": {...}}`, the
form that jsonargparse reads. Every class of the package keeps each constructor argument as an
attribute of the same name, so its signature says what to write. Tensors are kept apart, under
their path in the configuration, and replaced by `{"tensor": path}`.
"""

import importlib
import inspect
import math
import sys
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .allowance import Allowance
from .quoting import sentence, shortened
from .slots import (
    ANYTHING,
    PACKAGE,
    Slot,
    alternatives,
    arguments_of,
    class_of,
    described,
    fits,
    is_within,
    items_of,
    takes,
)

__all__ = ["build", "check_config", "from_config", "packages_of", "tensors_of", "to_config"]

#: What json can write: None, bool, int, float, str, list, dict.
JSON = Any

#: A model is far smaller and flatter than these.
_DEEPEST = 40
_MOST_PARTS = 200

#: The largest whole number in the place of a real one.
_LARGEST_WHOLE = 2**31

#: The longest list among a network's arguments.
_LONGEST = 1000

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def to_config(value: object) -> tuple[JSON, dict[str, Tensor]]:
    """Writes an object, or a list or dictionary of objects, as plain data.

    Lists and tuples both become lists. The configuration holds how an object was made, not what
    it has learned: a network's weights are not part of it.

    Arguments:
        value: Anything made of None, booleans, finite numbers, strings, tensors, lists, tuples,
            dictionaries with string keys, and objects of importable classes whose constructor
            arguments are attributes of the same names.

    Returns:
        The configuration, and the tensors that it names, copied to the CPU.

    Raises:
        ValueError: If something in it can't be written; the message names its path.
    """
    tensors: dict[str, Tensor] = {}
    return _write(value, "", tensors), tensors


def from_config(
    config: JSON,
    tensors: dict[str, Tensor],
    trust: Sequence[str] = (),
    kinds: Mapping[str, Any] | None = None,
) -> Any:
    """Builds what `to_config` wrote.

    Building an object runs its constructor, so the whole configuration is looked at before any is
    built: without trust it may name only the classes of `slots.CLASSES`, and an argument takes only
    what its annotation says, and no path.

    Arguments:
        config: The configuration.
        tensors: The tensors that it names, each at one place.
        trust: Packages or modules, as dotted names, whose classes may be built as well. Their own
            arguments are theirs to check.
        kinds: What each value of a dictionary must be, as an annotation; None takes anything.

    Raises:
        ValueError: If a class is foreign, unknown or at a place that is not its own, an argument is
            unknown, missing or impossible, or a tensor is missing.
        ImportError: If a class needs a package that is not installed.
    """
    check_config(config, tensors, trust, kinds)
    return build(config, tensors, trust)


def check_config(
    config: JSON,
    tensors: Container[str],
    trust: Sequence[str] = (),
    kinds: Mapping[str, Any] | None = None,
) -> None:
    """Looks at a configuration as `from_config` does, and builds nothing.

    Raises:
        ValueError: As there.
    """
    _check_extent(config)
    taken: set[str] = set()
    if kinds is None:
        _check(config, ANYTHING, "The configuration", _Look(tensors, trust, taken))
        return
    for name, kind in kinds.items():
        _check(config.get(name), alternatives(kind), name, _Look(tensors, trust, taken))


def tensors_of(config: JSON) -> set[str]:
    """The names of all tensors in a configuration that was looked at."""
    return {value["tensor"] for value in _dictionaries(config) if "tensor" in value}


def packages_of(config: JSON) -> set[str]:
    """The packages of all classes in a configuration."""
    paths = (value["class_path"] for value in _dictionaries(config) if "class_path" in value)
    return {path.split(".")[0] for path in paths}


def _dictionaries(config: JSON) -> Iterator[dict[str, JSON]]:
    if isinstance(config, dict):
        yield config
    for child in _children(config):
        yield from _dictionaries(child)


@dataclass(frozen=True)
class _Look:
    """What a look at a configuration needs to know: the tensors, the trust, the tensors so far."""

    tensors: Container[str]
    trust: Sequence[str]
    taken: set[str]


def _check_extent(config: JSON) -> None:
    """Raises unless a configuration is flat, and small enough to be built."""
    level, parts = [config], 0
    for _ in range(_DEEPEST):
        parts += sum(isinstance(value, dict) and "class_path" in value for value in level)
        if parts > _MOST_PARTS:
            raise ValueError(
                f"The configuration has more than {_MOST_PARTS} parts, more than a model is made "
                "of; restore it from a copy."
            )
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise ValueError(
        f"The configuration has more than {_DEEPEST} levels, more than a model is made of; restore "
        "it from a copy."
    )


def _children(value: JSON) -> Collection[JSON]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check(config: JSON, slot: Slot, where: str, look: _Look) -> None:
    """Raises unless a configuration fits a slot; `where` says which one."""
    if isinstance(config, list):
        items = items_of(slot)
        if not items:
            raise ValueError(_misfit(where, slot, f"a list of {len(config)}"))
        for item in config:
            _check(item, items, where, look)
    elif not isinstance(config, dict):
        if not fits(config, slot):
            raise ValueError(_misfit(where, slot, shortened(config)))
        if isinstance(config, int) and abs(config) > _LARGEST_WHOLE and not {int, object} & {*slot}:
            raise ValueError(
                f"{where} is {shortened(config)}, whose square torch can't hold as a whole number; "
                "write it with a decimal point."
            )
    elif "tensor" in config:
        _check_tensor(config, slot, where, look)
    elif "class_path" in config:
        _check_part(config, slot, where, look)
    elif slot == ANYTHING:
        for item in config.values():
            _check(item, slot, where, look)
    else:
        raise ValueError(_misfit(where, slot, "a dictionary"))


def _misfit(where: str, slot: Slot, what: str) -> str:
    return f"{where} must be {described(slot)}, but the configuration gives {what}."


def _check_tensor(config: JSON, slot: Slot, where: str, look: _Look) -> None:
    key = config["tensor"]
    if len(config) > 1 or not isinstance(key, str) or key not in look.tensors:
        raise ValueError(f"The configuration names the tensor {shortened(key)}, which is missing.")
    if key in look.taken:
        raise ValueError(f"The configuration names the tensor {key!r} twice; each has one place.")
    look.taken.add(key)
    if not takes(Tensor, slot) and not fits(0.0, slot) and not fits(0.0, items_of(slot)):
        raise ValueError(_misfit(where, slot, f"the tensor {key!r}"))


def _check_part(config: JSON, slot: Slot, where: str, look: _Look) -> None:
    class_path = config["class_path"]
    unknown = config.keys() - {"class_path", "init_args"}
    if unknown:
        raise ValueError(
            f"A configuration of a class has class_path and init_args alone, but the one of "
            f"{shortened(class_path)} also has {_listed(unknown)}."
        )
    cls = _resolve(class_path, look.trust)
    own = is_within(cls.__module__, PACKAGE)
    if not takes(cls, slot, trusted=not own):
        raise ValueError(
            f"The configuration holds a {cls.__name__} as {where}, which must be {described(slot)}."
        )
    arguments = config.get("init_args", {})
    _check_arguments(cls, class_path, arguments)
    slots = arguments_of(cls) if own else dict.fromkeys(arguments, ANYTHING)
    for name, argument in arguments.items():
        if own and issubclass(cls, nn.Module) and len(_children(argument)) > _LONGEST:
            raise ValueError(
                f"{name} of {class_path} has {len(argument):,} entries, more than any network has "
                "levels."
            )
        _check(argument, slots[name], f"{name} of {class_path}", look)


def build(
    config: JSON,
    tensors: dict[str, Tensor],
    trust: Sequence[str] = (),
    allowances: tuple[Allowance, Allowance] | None = None,
) -> Any:
    """Builds a configuration that `check_config` has looked at.

    Arguments:
        config: The configuration; it, the tensors and the trust are those of `from_config`.
        allowances: What networks, and what all other parts, may ask for; None sets no limit.

    Raises:
        ValueError: If an argument is impossible, or a constructor asks for too much.
        ImportError: If a class needs a package that is not installed.
    """
    if isinstance(config, list):
        return [build(item, tensors, trust, allowances) for item in config]
    if not isinstance(config, dict):
        return config
    if "tensor" in config:
        return tensors[config["tensor"]]
    if "class_path" not in config:
        return {key: build(item, tensors, trust, allowances) for key, item in config.items()}
    cls = _resolve(config["class_path"], trust)
    arguments = config.get("init_args", {})
    built = {name: build(item, tensors, trust, allowances) for name, item in arguments.items()}
    try:
        with _allowance(cls, arguments, allowances):
            return cls(**built)
    except ImportError:  # it names the package that is missing
        raise
    except Exception as error:
        raise ValueError(
            f"{config['class_path']} can't be built from its init_args: {sentence(error)}"
        ) from error


def _allowance(
    cls: type, arguments: dict[str, JSON], allowances: tuple[Allowance, Allowance] | None
) -> AbstractContextManager[Any]:
    """What a class may ask for: networks are made of plain values alone; trust sets no limit."""
    if allowances is None or not is_within(cls.__module__, PACKAGE):
        return nullcontext()
    plain = not any(isinstance(argument, dict) for argument in arguments.values())
    return allowances[0 if plain and issubclass(cls, nn.Module) else 1]


def _write(value: object, path: str, tensors: dict[str, Tensor]) -> JSON:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{_place(path)} is {value}, which JSON can't hold; use a finite number.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        key = path or "value"
        tensors[key] = value.detach().cpu().clone().contiguous()
        return {"tensor": key}
    if isinstance(value, list | tuple):
        return [_write(item, _join(path, i), tensors) for i, item in enumerate(value)]
    if isinstance(value, dict):
        _check_keys(value, path)
        return {key: _write(item, _join(path, key), tensors) for key, item in value.items()}
    class_path = _class_path(type(value), path)
    arguments = {
        name: _write(_attribute(value, name, path), _join(path, name), tensors)
        for name in _parameters(type(value), class_path)
    }
    return {"class_path": class_path, "init_args": arguments}


def _class_path(cls: type, path: str) -> str:
    """The shortest dotted path that leads to the class: its package's, or else its module's."""
    parts = cls.__module__.split(".")
    for length in range(1, len(parts) + 1):
        module = ".".join(parts[:length])
        if getattr(sys.modules.get(module), cls.__qualname__, None) is cls and (
            parts[0] != PACKAGE or length <= 2
        ):
            return f"{module}.{cls.__qualname__}"
    raise ValueError(
        f"{_place(path)} is a {cls.__module__}.{cls.__qualname__}, which can't be written to a "
        "configuration; use a class that can be imported by its name."
    )


def _parameters(cls: type, class_path: str) -> list[str]:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except ValueError:  # some classes written in C have none
        raise ValueError(f"{class_path} has no signature, so it can't be written.") from None
    if any(parameter.kind in _VARIADIC for parameter in parameters):
        raise ValueError(
            f"{class_path} takes *args or **kwargs, so its arguments can't be written; name them "
            "one by one."
        )
    return [parameter.name for parameter in parameters]


def _attribute(value: object, name: str, path: str) -> object:
    try:
        return getattr(value, name)
    except AttributeError:
        raise ValueError(
            f"{_place(path)} is a {type(value).__name__}, which doesn't keep its argument {name!r} "
            "as an attribute, so it can't be written to a configuration."
        ) from None


def _check_keys(value: dict[Any, Any], path: str) -> None:
    for key in value:
        if not isinstance(key, str) or key in ("class_path", "tensor"):
            raise ValueError(
                f"{_place(path)} has the key {key!r}, which a configuration can't hold; keys are "
                "strings other than class_path and tensor."
            )


def _resolve(class_path: object, trust: Sequence[str]) -> type:
    """The class of a path, if a configuration may name it."""
    if not isinstance(class_path, str) or not all(map(str.isidentifier, class_path.split("."))):
        raise ValueError(f"A class_path must be a dotted name, but is {shortened(class_path)}.")
    if is_within(class_path, PACKAGE):
        return class_of(class_path)
    module, _, name = class_path.rpartition(".")
    root = next((root for root in trust if is_within(module, root)), None)
    if root is None:
        raise ValueError(
            f"The class {class_path} is not softdiffusion's, and building it runs its code; if you "
            f"trust it, pass trust=({class_path.split('.')[0]!r},), or --trust "
            f"{class_path.split('.')[0]} on the command line."
        )
    try:
        cls = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # the module's own code runs
        raise ValueError(f"The class {class_path} can't be imported: {sentence(error)}") from error
    if not isinstance(cls, type):
        raise ValueError(f"There is no class {class_path}; check its spelling and the version.")
    if not is_within(cls.__module__, root):
        raise ValueError(
            f"The class {class_path} is defined in {cls.__module__}, outside of {root}; give its "
            "own path, and trust that if you do."
        )
    return cls


def _check_arguments(cls: type, class_path: str, arguments: object) -> None:
    if not isinstance(arguments, dict):
        raise ValueError(
            f"The init_args of {class_path} must be a dictionary, not {shortened(arguments)}."
        )
    names = _parameters(cls, class_path)
    unknown = arguments.keys() - set(names)
    if unknown:
        known = f"it takes {_listed(names)}" if names else "it takes none"
        raise ValueError(f"{class_path} has no argument {_listed(unknown)}; {known}.")
    parameters = inspect.signature(cls).parameters
    required = {name for name in names if parameters[name].default is inspect.Parameter.empty}
    missing = required - arguments.keys()
    if missing:
        raise ValueError(f"{class_path} lacks its argument {_listed(missing)}.")


def _join(path: str, name: str | int) -> str:
    return f"{path}.{name}" if path else str(name)


def _place(path: str) -> str:
    return f"The value at {path}" if path else "The value"


def _listed(names: Any) -> str:
    return shortened(", ".join(sorted(names)), quote=False)
