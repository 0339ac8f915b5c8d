"""The names of Hugging Face data sets."""

from dataclasses import dataclass
from pathlib import Path

from ..quoting import in_one_line
from .asked import expanded

__all__ = ["HubName"]


@dataclass(frozen=True)
class HubName:
    """What follows `hub:` or `hub-stream:`, `NAME[:CONFIG][:image=COLUMN][:label=COLUMN]`.

    Attributes:
        place: The name of a data set of the Hub, or the path of a folder or file.
        config: The configuration, or None.
        image: The column of images, or None.
        label: The column of labels, or None.
    """

    place: str
    config: str | None = None
    image: str | None = None
    label: str | None = None

    @classmethod
    def parsed(cls, text: str) -> "HubName":
        """Reads a name as it is spelled.

        Raises:
            ValueError: If a part is empty, unknown or there twice.
        """
        place, *rest = text.split(":")
        parts: dict[str, str] = {}
        if not place:
            raise ValueError(f"{text!r} names no data set; write hub:NAME or hub:PATH.")
        for part in rest:
            key, equals, value = part.partition("=")
            if not equals:
                key, value = "config", part
            if key not in ("config", "image", "label") or key in parts or not value:
                raise ValueError(
                    f"{part!r} in {text!r} is not understood; write "
                    "hub:NAME[:CONFIG][:image=COLUMN][:label=COLUMN]."
                )
            parts[key] = value
        return cls(place, **parts)

    @property
    def title(self) -> str:
        """What the data set is called in reports."""
        name = self.path.resolve().name if self.path else self.place
        return in_one_line(":".join(["hub", name, *filter(None, [self.config])]))

    @property
    def path(self) -> Path | None:
        """The folder or file, if there is one of this name."""
        path = expanded(self.place)
        return path if path.exists() else None

    @property
    def is_saved(self) -> bool:
        """Whether it is a folder that `save_to_disk` has written."""
        files = ("dataset_dict.json", "state.json")
        return self.path is not None and any((self.path / file).exists() for file in files)
