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
from collections.abc import Sequence
from typing import Any

from torch import Tensor

__all__ = ["from_config", "to_config"]

#: What json can write: None, bool, int, float, str, list, dict.
JSON = Any

_PACKAGE = "softdiffusion"
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


def from_config(config: JSON, tensors: dict[str, Tensor], trust: Sequence[str] = ()) -> Any:
    """Builds what `to_config` wrote.

    Building an object runs its constructor, so only public classes of softdiffusion are accepted
    unless the caller trusts other packages.

    Arguments:
        config: The configuration.
        tensors: The tensors that it names.
        trust: Packages or modules, as dotted names, whose classes may be built as well.

    Raises:
        ValueError: If a class is foreign or unknown, an argument is unknown, missing or
            impossible, or a tensor is missing.
    """
    if isinstance(config, list):
        return [from_config(item, tensors, trust) for item in config]
    if not isinstance(config, dict):
        return config
    if "tensor" in config:
        return _tensor(config["tensor"], tensors)
    if "class_path" not in config:
        return {key: from_config(item, tensors, trust) for key, item in config.items()}
    unknown = config.keys() - {"class_path", "init_args"}
    if unknown:
        raise ValueError(
            f"A configuration of a class has class_path and init_args alone, but the one of "
            f"{config['class_path']} also has {_listed(unknown)}."
        )
    cls = _resolve(config["class_path"], trust)
    arguments = config.get("init_args", {})
    _check_arguments(cls, config["class_path"], arguments)
    built = {name: from_config(item, tensors, trust) for name, item in arguments.items()}
    try:
        return cls(**built)
    except TypeError as error:
        raise ValueError(
            f"{config['class_path']} can't be built from its init_args: {str(error).rstrip('.')}."
        ) from error


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
            parts[0] != _PACKAGE or length <= 2
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


def _tensor(key: object, tensors: dict[str, Tensor]) -> Tensor:
    if not isinstance(key, str) or key not in tensors:
        raise ValueError(f"The configuration names the tensor {key!r}, which is missing.")
    return tensors[key]


def _resolve(class_path: object, trust: Sequence[str]) -> type:
    """The class of a path, if it and the module that defines it are trusted."""
    if not isinstance(class_path, str) or not all(map(str.isidentifier, class_path.split("."))):
        raise ValueError(f"A class_path must be a dotted name, but is {class_path!r}.")
    module, _, name = class_path.rpartition(".")
    root = next((root for root in (_PACKAGE, *trust) if _within(module, root)), None)
    if root is None:
        raise ValueError(
            f"The class {class_path} is not softdiffusion's, and building it runs its code; if you "
            f"trust it, pass trust=({class_path.split('.')[0]!r},), or --trust "
            f"{class_path.split('.')[0]} on the command line."
        )
    # Modules deeper down hold helpers, whose constructors may do more than keep their arguments.
    if root == _PACKAGE and (module.count(".") > 1 or "._" in f".{class_path}"):
        raise ValueError(f"{class_path} is not a public class of softdiffusion.")
    try:
        cls = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"The class {class_path} can't be imported: {error}.") from None
    if not isinstance(cls, type):
        raise ValueError(f"There is no class {class_path}; check its spelling and the version.")
    if not _within(cls.__module__, root):
        raise ValueError(
            f"The class {class_path} is defined in {cls.__module__}, outside of {root}; give its "
            "own path, and trust that if you do."
        )
    return cls


def _within(module: str, root: str) -> bool:
    return module == root or module.startswith(f"{root}.")


def _check_arguments(cls: type, class_path: str, arguments: object) -> None:
    if not isinstance(arguments, dict):
        raise ValueError(f"The init_args of {class_path} must be a dictionary, not {arguments!r}.")
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
    return ", ".join(sorted(names))
