"""The presets by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..arguments import checked
from .blurred_flow import blurred_flow
from .cold import cold_blur, cold_inpainting, cold_pixelate
from .heat import blurring, inverse_heat
from .noise import edm, rectified_flow, ve, vp
from .preset import Preset
from .scale_space import scale_space
from .soft import soft_blur, soft_mask

__all__ = ["PRESETS", "named"]

#: All presets by name.
PRESETS: dict[str, Callable[..., Preset]] = {
    preset.__name__: preset
    for preset in (
        ve,
        vp,
        rectified_flow,
        edm,
        soft_blur,
        soft_mask,
        inverse_heat,
        blurring,
        cold_blur,
        cold_inpainting,
        cold_pixelate,
        scale_space,
        blurred_flow,
    )
}


@checked
def named(entry: str | Mapping[str, Any]) -> Preset:
    """The preset that a recipe names.

    Arguments:
        entry: Its name, for the values of its paper, or a mapping with `class_path`, which is the
            name behind `softdiffusion.presets.`, and with other values as `init_args`.

    Raises:
        ValueError: If there is no such preset, or it has no such argument.
    """
    if isinstance(entry, str):
        entry = {"class_path": entry}
    path, arguments = entry.get("class_path"), entry.get("init_args") or {}
    if not isinstance(path, str) or not isinstance(arguments, Mapping):
        raise ValueError(
            f"A preset is a name, or a mapping of class_path and init_args, but is {entry!r}."
        )
    name = path.removeprefix("softdiffusion.presets.")
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}; there are {', '.join(PRESETS)}.")
    known = list(inspect.signature(PRESETS[name]).parameters)
    unknown = [argument for argument in arguments if argument not in known]
    if unknown:
        raise ValueError(
            f"The preset {name} has no argument {unknown[0]!r}; it has {', '.join(known)}."
        )
    return PRESETS[name](**arguments)
