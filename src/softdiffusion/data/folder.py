"""Folders of image files."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["load_folder"]

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"}

#: Without folders of its own, every tenth file is the test split.
_HELD_OUT = 10

#: From this many files on, a progress bar is shown while they are decoded.
_MANY = 1_000


def load_folder(folder: Path, split: str, size: int | None, channels: int | None) -> Tensor:
    """Reads all images below a folder, sorted by path, as uint8 (N, C, H, W).

    If the folder has the subfolders `train` and `test`, they are the splits; otherwise every
    tenth file is held out as the test split.

    Arguments:
        folder: The folder; its subfolders are searched too.
        split: "train" or "test".
        size: The short side is resized to this many pixels (Lanczos with antialiasing) and the
            centre is cropped to a square; None keeps the files' common size.
        channels: 1 for grey, 3 for RGB; None follows the first file.

    Raises:
        FileNotFoundError: If the folder does not exist or holds no images.
        ValueError: If a file can't be read, or sizes differ and no size was given.
    """
    from tqdm import tqdm

    files = _files(folder, split)
    if channels is None:
        channels = 1 if _open(files[0]).mode in ("1", "L", "I", "I;16", "LA") else 3
    arrays: list[Tensor] = []
    for file in tqdm(files, desc="reading images", unit="file", disable=len(files) < _MANY):
        array = _decode(file, size, channels)
        if arrays and array.shape != arrays[0].shape:
            raise ValueError(
                f"{files[0].name} has {_size(arrays[0])} pixels but {file.name} has {_size(array)}; "
                "give a size to which all images are resized and cropped."
            )
        arrays.append(array)
    return torch.stack(arrays)


def _files(folder: Path, split: str) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}; check the path behind 'folder:'.")
    own_splits = (folder / "train").is_dir() and (folder / "test").is_dir()
    root = folder / split if own_splits else folder
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not own_splits:
        held_out = files[_HELD_OUT - 1 :: _HELD_OUT]
        files = held_out if split == "test" else [f for f in files if f not in set(held_out)]
    if not files:
        raise FileNotFoundError(
            f"There are no images for the {split} split in {root}; files must end in "
            f"{', '.join(sorted(_SUFFIXES))}, and a test split needs at least {_HELD_OUT} of them."
        )
    return files


def _open(file: Path):  # type: ignore[no-untyped-def]
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(file)
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"The image {file} can't be read ({error}); remove it or replace it."
        ) from None
    return image


def _decode(file: Path, size: int | None, channels: int) -> Tensor:
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(_open(file))
    if image.mode in ("P", "RGBA", "LA", "PA"):  # transparent parts show white
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).reshape(image.height, image.width, channels).permute(2, 0, 1)


def _size(array: Tensor) -> str:
    return f"{array.shape[2]} x {array.shape[1]}"
