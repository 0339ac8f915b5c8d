"""Diffusion models for any linear corruption: x_t = C_t x_0 + sigma_t eta."""

from importlib import import_module

TYPE_CHECKING = False  # typing itself takes a moment to import
if TYPE_CHECKING:
    from typing import Any

    from .exports import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> "Any":
    # Torch takes seconds to import, in which the command must already be able to answer Ctrl-C.
    if name.startswith("__") and name != "__all__":  # asked by the import system and by tools
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".exports", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *__getattr__("__all__")]
