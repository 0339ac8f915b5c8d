"""The arguments of a preset: `--preset blurred_flow --preset.end 0.7`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..files import YAML_ERRORS, read_yaml

__all__ = ["gather_preset"]


def gather_preset(arguments: Sequence[str]) -> list[str]:
    """Puts every `--preset.ARGUMENT VALUE` into one `--preset`, with the name that it has.

    jsonargparse knows such arguments of classes, but presets are functions. The name is that of the
    last `--preset`, or that of the last recipe with one.

    Raises:
        ValueError: If no preset is named, or one that there is not.
    """
    given: dict[str, Any] = {}
    named: Any = None
    recipes: list[str] = []
    rest: list[str] = []
    items = iter(arguments)
    for item in items:
        flag, equals, value = item.partition("=")
        if flag in ("--preset", "--config") or flag.startswith("--preset."):
            value = value if equals else next(items, "")
        if flag.startswith("--preset."):
            given[flag.removeprefix("--preset.").removeprefix("init_args.")] = _read(value)
            continue
        if flag == "--preset":
            named = _read(value)
            continue
        recipes += [value] if flag == "--config" else []
        rest += [f"{flag}={value}"] if flag == "--config" else [item]
    if not given:
        return list(arguments)
    for recipe in recipes if named is None else []:
        named = _preset_of(recipe) or named
    if named is None:
        raise ValueError(f"Name a preset by --preset before its argument {next(iter(given))}.")
    chosen = dict(named) if isinstance(named, dict) else {"class_path": named}
    name = str(chosen.get("class_path"))
    if "." not in name:
        from ..presets import named as preset  # with torch, which --help can do without

        preset(name)  # raises if there is none
        chosen["class_path"] = f"softdiffusion.presets.{name}"
    chosen["init_args"] = {**(chosen.get("init_args") or {}), **given}
    return [*rest, f"--config={json.dumps({'preset': chosen})}"]  # where it is no text


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, *YAML_ERRORS):
        return text


def _preset_of(recipe: str) -> Any:
    """What a recipe says under `preset`; the parser finds what is wrong with the file."""
    try:
        content = read_yaml(Path(recipe))
    except (OSError, ValueError):
        return None
    return content.get("preset") if isinstance(content, dict) else None
