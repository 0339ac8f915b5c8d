"""The presets by name."""

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
        ValueError: If there is no such preset.
    """
    if isinstance(entry, str):
        entry = {"class_path": entry}
    name = entry["class_path"].removeprefix("softdiffusion.presets.")
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}; there are {', '.join(PRESETS)}.")
    return PRESETS[name](**(entry.get("init_args") or {}))
