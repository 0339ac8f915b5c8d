"""What names a set of images: in recipes, on command lines and in studies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .images import Images
from .load import open

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """The arguments of `softdiffusion.data.open`, but for the split.

    Attributes:
        data: The name.
        size, channels, crop, crop_scale, cache: As for `open`.
    """

    data: str
    size: int | None = None
    channels: int | None = None
    crop: int | None = None
    crop_scale: float = 1.0
    cache: str | Path | None = None

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> "Source":
        """The source that a recipe names; those of before lack some keys, whose defaults hold."""
        given = {key: recipe[key] for key in cls.__dataclass_fields__ if key in recipe}
        return cls(**{"data": "digits"} | given)

    def open(self, split: Literal["train", "test"] = "train") -> Images:
        """Opens a split of it.

        Raises:
            ValueError: As `softdiffusion.data.open`, which may raise its other errors, too.
        """
        others = {key: value for key, value in vars(self).items() if key != "data"}
        return open(self.data, split=split, **others)
