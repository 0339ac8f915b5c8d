"""Pictures that hold a kernel or a mask."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["open_picture"]


def open_picture(path: str | Path, holds: str) -> "Image":
    """Opens an image file and reads it whole.

    Arguments:
        path: The file.
        holds: What it holds, for the messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image, or damaged.
    """
    from PIL import Image as pillow

    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no {holds} {path}; check the path.")
    try:
        with pillow.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"The {holds} {path} can't be read ({error}); give another file."
        ) from None
    return image
