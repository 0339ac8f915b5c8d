"""Arguments that are what their annotations say."""

import collections.abc
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np
import torch
from torch import Tensor, nn

from .checks import LARGEST, HasArray, ImageSet, is_traced, shown

__all__ = ["checked"]

Target = TypeVar("Target", bound=Callable[..., Any])

#: What a kind of argument is called in a message; classes go by their own names.
_NAMES: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Tensor: "a tensor",
    type(None): "None",
    HasArray: "an array",
    ImageSet: "a set of images",
    collections.abc.Callable: "a function",
    collections.abc.Sequence: "a sequence",
    collections.abc.Mapping: "a mapping",
    tuple: "a tuple",
}

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def checked(target: Target) -> Target:
    """Checks the arguments of a function, or of a class's constructor, against its annotations.

    Numbers of NumPy become Python's, so that what keeps them can be saved; True is no number.
    Numbers are at most 1e9, and the entries of tensors finite in single precision: those on the
    CPU, since reading others would wait for their device. Narrower limits are the function's own.
    Unions, literals, sequences, tuples and mappings are looked into; what else an annotation says
    within its brackets is not checked.

    The function raises a TypeError for an argument of another type, and a ValueError for a value
    beyond its limits or none of the choices; both are a sentence that names the argument. What the
    function itself says against a value goes first, since it knows more about it.
    """
    if inspect.isclass(target):
        target.__init__ = checked(target.__init__)  # type: ignore[method-assign]
        return target
    method = next(iter(inspect.signature(target).parameters), None) in ("self", "cls")

    @functools.wraps(target)
    def function(*args: Any, **kwargs: Any) -> Any:
        if is_traced() or _are_plain(target, args, kwargs):
            return target(*args, **kwargs)
        signature, hints = _signature(target), _hints(target)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return target(*args, **kwargs)  # Python says itself what is missing or too much
        owner = args[0] if method else None
        wrong: list[_BeyondError] = []
        for name, value in bound.arguments.items():
            if name in hints and signature.parameters[name].kind not in _VARIADIC:
                place = _place(target.__name__, owner, name)
                try:
                    bound.arguments[name] = _conformed(place, value, hints[name])
                except _HugeError:
                    raise
                except _BeyondError as error:
                    wrong.append(error)
        try:
            result = target(*bound.args, **bound.kwargs)
        except Exception as error:
            # What is said within the function about an argument of its own is no better.
            if wrong and (isinstance(error, _BeyondError) or not isinstance(error, _SENTENCES)):
                raise wrong[0] from None
            raise
        if wrong:
            raise wrong[0]
        return result

    return function  # type: ignore[return-value]


_SENTENCES = (ValueError, TypeError)


class _BeyondError(ValueError):
    """A value of the right kind that no function takes, but that each knows more about."""


class _HugeError(_BeyondError):
    """A whole number that can't even be written into a message."""


@functools.cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(function)


def _are_plain(target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether all arguments are, at a glance, as `_conformed` would return them.

    Methods are called at every step of a training, where binding a signature would be felt.
    """
    in_order, by_name = _glances(target)
    if len(args) > len(in_order):
        return False
    for value, is_plain in zip(args, in_order, strict=False):
        if not is_plain(value):
            return False
    return all(name in by_name and by_name[name](value) for name, value in kwargs.items())


Glance = Callable[[Any], bool]


@functools.cache
def _glances(target: Callable[..., Any]) -> tuple[list[Glance], dict[str, Glance]]:
    """What looks at every argument, in order and by name."""
    hints = _hints(target)
    parameters = [p for p in _signature(target).parameters.values() if p.kind not in _VARIADIC]
    by_name = {p.name: _glance(hints[p.name]) if p.name in hints else _any for p in parameters}
    return [by_name[p.name] for p in parameters if p.kind != p.KEYWORD_ONLY], by_name


def _any(value: Any) -> bool:
    return True


def _glance(hint: Any) -> Glance:
    """What tells whether a value is certainly what a hint wants; not all that are, pass."""
    kinds = [get_origin(kind) or kind for kind in _kinds(hint)]
    takes_numbers, takes_tensors, takes_functions = (
        kind in kinds for kind in (float, Tensor, collections.abc.Callable)
    )
    classes = tuple(  # those which alone decide, whatever the value
        kind
        for kind in kinds
        if inspect.isclass(kind)
        and not getattr(kind, "_is_protocol", False)
        and kind not in _LOOKED_INTO
    )
    known: set[type] = set()  # instances of them, since asking an abstract class takes longer

    def is_plain(value: Any) -> bool:
        kind = type(value)
        if kind in known:
            return True
        if kind is float:
            return takes_numbers and -LARGEST <= value <= LARGEST  # NaN is not
        if kind is Tensor or kind is nn.Parameter:
            return takes_tensors and _is_finite(value)
        is_right = issubclass(kind, classes) or (takes_functions and callable(value))
        if is_right and not issubclass(kind, _BY_VALUE):
            known.add(kind)
            return True
        return False

    return is_plain


_BY_VALUE = (int, float, Tensor, np.generic)

#: Classes of arguments whose contents are looked at.
_LOOKED_INTO = (
    *(int, float, Tensor, list, tuple, dict),
    *(collections.abc.Callable, collections.abc.Mapping, collections.abc.Sequence),
)


def _place(function: str, owner: object, name: str) -> str:
    """What an argument is called in a message: its name, and whose it is."""
    if owner is None:
        return f"{name} of {function}"
    cls = owner if inspect.isclass(owner) else type(owner)
    return f"{name} of {cls.__name__}" + ("" if function == "__init__" else f".{function}")


@functools.cache
def _kinds(hint: Any) -> tuple[Any, ...]:
    """What a hint allows. A tensor goes first, for it stays one though a sequence may be one."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return tuple(sorted(kinds, key=lambda kind: kind is not Tensor))


def _conformed(place: str, value: Any, hint: Any) -> Any:
    """The value as its annotation wants it; raises an error that names its place otherwise."""
    kinds = _kinds(hint)
    for kind in kinds:
        if _is_a(value, kind):
            return _within(place, value, kind)
    names = list(dict.fromkeys(map(_name, kinds)))
    wanted = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    raise TypeError(f"{place} must be {wanted}, but is {shown(value)}{_remedy(value)}.")


def _is_a(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, whatever it contains."""
    origin = get_origin(kind) or kind
    if origin is Any:
        return True
    is_number = not isinstance(value, bool | np.bool_)
    match origin:
        case _ if origin is bool:
            return isinstance(value, bool | np.bool_)
        case _ if origin is int:
            return is_number and isinstance(value, int | np.integer)
        case _ if origin is float:
            return is_number and isinstance(value, int | float | np.integer | np.floating)
        case _ if origin is Literal:
            return is_number and isinstance(value, tuple(map(type, get_args(kind))))
        case _ if origin in (collections.abc.Sequence, list):
            return _is_row(value) or isinstance(value, list | tuple | range)
        case _ if origin is tuple:
            return _is_row(value) or isinstance(value, list | tuple)
        case _ if origin is collections.abc.Callable:
            return callable(value)
        case _ if inspect.isclass(origin):
            # What torch.compile returns shows all attributes of what it has compiled.
            return isinstance(getattr(value, "_orig_mod", value), origin)
    return True  # something that this module knows nothing about


def _is_row(value: Any) -> bool:
    """Whether it is an array, as which a sequence of numbers may come."""
    is_dense = not isinstance(value, Tensor) or value.layout == torch.strided
    return isinstance(value, np.ndarray | Tensor) and value.ndim > 0 and is_dense


def _within(place: str, value: Any, kind: Any) -> Any:
    """A value of a kind, once what it contains conforms as well."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _HugeError(f"{place} must be in [-2^63, 2^63), but is {shown(value)}.")
    if origin is float and not -LARGEST <= value <= LARGEST:  # NaN is not
        raise _BeyondError(
            f"{place} must be in [{-LARGEST:g}, {LARGEST:g}], but is {shown(value)}."
        )
    if origin is Literal and value not in inner:
        raise _BeyondError(f"{place} must be {_name(kind)}, but is {shown(value)}.")
    if origin in (collections.abc.Sequence, list, tuple):
        return _items(place, value, origin, inner)
    if origin in (collections.abc.Mapping, dict) and inner:
        return {key: _conformed(f"{key} in {place}", item, inner[1]) for key, item in value.items()}
    if isinstance(value, Tensor) and origin is Tensor:
        _check_entries(place, value)
    return value


def _items(place: str, value: Any, origin: Any, inner: tuple[Any, ...]) -> Any:
    items = value.tolist() if _is_row(value) else value
    if not inner:
        return items
    if origin is not tuple or inner[-1] is Ellipsis:
        inner = inner[:1] * len(items)
    if len(items) != len(inner):
        raise ValueError(f"{place} must hold {len(inner)} values, but holds {len(items)}.")
    found = [
        _conformed(f"Entry {i} in {place}", item, hint)
        for i, (item, hint) in enumerate(zip(items, inner, strict=True))
    ]
    if items is value and all(a is b for a, b in zip(found, items, strict=True)):
        return value
    return tuple(found) if isinstance(value, tuple) else found


def _check_entries(place: str, value: Tensor) -> None:
    if value.layout != torch.strided:
        raise ValueError(f"{place} must be dense, but its layout is {value.layout}.")
    if not _is_finite(value):
        wrong = int((~value.detach().float().isfinite()).sum())
        if wrong:
            raise _BeyondError(
                f"{place} must be finite in single precision, but {wrong} of its {value.numel()} "
                "entries are not."
            )


def _is_finite(value: Tensor) -> bool:
    """Whether a tensor is dense, and no sum of its entries tells of one that is not finite."""
    if value.layout != torch.strided:
        return False
    if not value.is_floating_point() or value.device.type != "cpu":
        return True
    return math.isfinite(value.detach().float().sum())


def _name(kind: Any) -> str:
    origin = get_origin(kind) or kind
    if origin is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if origin in _NAMES:
        return _NAMES[origin]
    name = getattr(origin, "__name__", str(origin)).lstrip("_")
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def _remedy(value: object) -> str:
    if isinstance(value, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return "; give its .module"
    return ""
