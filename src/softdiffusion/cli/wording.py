"""Messages of jsonargparse in plain words."""

import re

from .spelling import SAMPLERS

__all__ = ["plain"]

#: What it says where a value fits none of several types; the innermost of such messages.
_UNION = re.compile(
    r"Does not validate against any of the Union subtypes\s+Subtypes: [^\n]*\s+Errors:\s*- "
    r"(?P<errors>(?:(?!Does not validate).)*?)\s+Given value type: [^\n]*"
    r"\s+Given value: (?P<value>[^\n]*)",
    re.DOTALL,
)

#: What it says of an argument whose class was not named: it has no default.
_CLASSLESS = re.compile(
    r"Does not validate.*(?:class_path 'torch\.nn\.Module'|is abstract).*NestedArg\(key='(\w+)'.*",
    re.DOTALL,
)

#: What it says where a whole number is no such number, or out of range.
_NUMBER = (
    r"Not of type (\w+Int): (?:invalid literal .*: )?"
    r"((?:(?!does)\S+)?)(?: ?does not conform to restriction \S+)?"
)

#: The errors of a union that say no more than that the value has another type.
_OTHER_TYPE = r"Expected (?!a dot import|a path)|Import path .* does not correspond to a subclass"

#: All else, in the order in which it is rewritten.
_REWORDED = (
    (r"Type \S*Callable\[.*\] expects a function or a callable class: ", ""),
    (r"\. Got value: Namespace\(.*", ""),
    (
        r"(?:Problem with given class_path '\S+': )?Importing '(\S+)' is not allowed, .*? to allow "
        r"it",
        r"\1 is neither a part of models nor of a module that is trusted",
    ),
    (r": Expected (.+)\. Got value: ", r" must be \1, but is "),
    (r'Parser key "([\w.]+)"', r"--\1"),
    (
        r"the following arguments are required: (study\.action, )?study\.study",
        "name what to do and the file, such as: softdiffusion study run studies/cost/study.yaml",
    ),
    (r"arguments are required: \w+\.", "arguments are required: --"),
    (
        r"Problem with given class_path '(\S+)': (?:module .* has no|No module) \S+ \S+",
        r"no class \1",
    ),
    (r"(?:Problem with given class_path '\S+': )?Option '(\w+)' is", r"the argument \1 is"),
    (r"(--[\w.]+): (?:Problem with given class_path '\S+': )?--", r"\1."),
    (r"Problem with given class_path '\S+': ", ""),
    (r"(?:Expected a dot import path string|Unexpected import path format): (\S+)", r"no class \1"),
    (r"Import path (\S+) does not correspond to a subclass of (\w+)", r"\1 is not a \2"),
    (r'in "<\w+ string>", ', "in "),
    (r"/--\w+\+(?=:)", ""),
    (
        r"--sampler: no class (\S+?)(?=;|$)",
        rf"--sampler: no sampler \1, use one of {', '.join(SAMPLERS)}",
    ),
    (r": - ", ": "),
)

_WORDS = {
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "NoneType": "null",
    "NonNegativeInt": "a whole number >= 0",
    "PositiveInt": "a whole number > 0",
    "str": "text",
}


def plain(message: str) -> str:
    """The message in one line, without the names of Python's types."""
    message = re.sub(r"(?:a )?<class '(?:\w+\.)*(\w+)'>", _words, message)
    message = re.sub(r"(?:a )?typing\.Literal\[(.*?)\]", r"one of \1", message)
    message = re.sub(_NUMBER, lambda m: f"Expected {_WORDS[m[1]]}. Got value: {m[2]}", message)
    message = _CLASSLESS.sub(r"name the class before its argument \1", message)
    while _UNION.search(message):
        message = _UNION.sub(_union, message)
    message = " ".join(message.split())
    for pattern, words in _REWORDED:
        message = re.sub(pattern, words, message)
    return message


def _words(name: re.Match[str]) -> str:
    return _WORDS.get(name[1], f"a {name[1]}")


def _union(match: re.Match[str]) -> str:
    """The errors that say more than that the value has another type, or else the types."""
    errors = list(dict.fromkeys(re.split(r"\s+- ", match["errors"])))
    told = [error for error in errors if not re.match(_OTHER_TYPE, error)]
    if told:
        # In a union the path of a class of another kind is left out.
        named = f"Import path {match['value']} does not"
        return " and ".join(error.replace("Import path does not", named) for error in told)
    types = (error.split(". Got")[0].removeprefix("Expected ") for error in errors)
    return f"Expected {' or '.join(types)}. Got value: {match['value']}"
