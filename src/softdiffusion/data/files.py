"""Image files that are read as they are: neither resized nor converted."""

from pathlib import Path

import torch
from torch import Tensor

from .folder import SUFFIXES, is_grey, open_image, to_pixels
from .images import to_float

__all__ = ["image_files", "read_images"]


def read_images(
    path: str | Path, shape: tuple[int, int, int] | None = None
) -> tuple[Tensor, list[str]]:
    """Reads one image file, or all those that lie in a folder.

    Arguments:
        path: The file or the folder; subfolders are not searched.
        shape: The shape (C, H, W) that every image must have; None follows the first one.

    Returns:
        The images in the order of their names, (N, C, H, W), float32 in [-1, 1], and the names
        without their suffixes.

    Raises:
        FileNotFoundError: If there is no such file, or no image in the folder.
        ValueError: If a file can't be read, an image has another shape, or two have one name.
    """
    files = image_files(Path(path))
    names = [file.stem for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"Two images in {path} are called {twice}; rename one of them.")
    images = []
    for file in files:
        image = open_image(file)
        pixels = to_pixels(image, 1 if is_grey(image) else 3)
        found = (pixels.shape[0], pixels.shape[1], pixels.shape[2])
        shape = shape or found
        if found != shape:
            raise ValueError(
                f"The image {file} is {_described(found)}, but {_described(shape)} are needed; "
                "convert it first."
            )
        images.append(pixels)
    return to_float(torch.stack(images)), names


def image_files(path: Path) -> list[Path]:
    """The image file itself, or those that lie in a folder, by name.

    Raises:
        FileNotFoundError: If there is no such file, or no image in the folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"There is no file or folder {path}; check the path.")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise FileNotFoundError(
            f"There are no images in {path}; files must end in {', '.join(sorted(SUFFIXES))}."
        )
    return files


def _described(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} pixels in {'grey' if channels == 1 else f'{channels} channels'}"
