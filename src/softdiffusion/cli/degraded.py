"""The pictures that a command restores."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..data import image_files, read_images
from ..quoting import in_one_line

__all__ = ["Degraded", "read_degraded", "read_originals"]

#: The longest name of a file, in bytes, on all common disks.
_LONGEST = 255


@dataclass(frozen=True)
class Degraded:
    """Pictures that could be read, and files that could not.

    Attributes:
        images: The pictures, (B, C, H, W).
        names: Their files' names without suffixes.
        digests: The SHA-256 of their files.
        positions: Their positions among all files, which choose their noise.
        failed: Why the other files were left out, by their names.
        notes: What else lies in the folder, in words.
    """

    images: Tensor
    names: list[str]
    digests: list[str]
    positions: list[int]
    failed: dict[str, str]
    notes: tuple[str, ...]


def read_degraded(path: Path, shape: tuple[int, int, int], out: Path) -> Degraded:
    """Reads a picture, or all those of a folder but the ones that can't be read.

    Arguments:
        path: The file or the folder.
        shape: The shape (C, H, W) that every picture must have.
        out: The folder to be written to.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If two have one name, one of them lies in the folder to be written to, or none
            can be read.
    """
    files, notes = image_files(path)
    check_apart("--input", files, out)
    images, names, digests, positions, failed = [], [], [], [], {}
    for position, file in enumerate(files):
        try:
            if len(os.fsencode(f".{file.stem}.png.draft")) > _LONGEST:
                raise ValueError(
                    "Its name is too long for the files of its restoration; shorten it."
                )
            image, _ = read_images(file, shape)
            digests.append(hashlib.sha256(file.read_bytes()).hexdigest())
        except (ValueError, OSError) as error:
            failed[file.name] = " ".join(str(error).split())
            continue
        images.append(image)
        names.append(file.stem)
        positions.append(position)
    if not images:
        raise ValueError(f"No picture of {in_one_line(path)} can be restored: {_first(failed)}")
    return Degraded(torch.cat(images), names, digests, positions, failed, notes)


def read_originals(
    folder: Path, names: list[str], shape: tuple[int, int, int], out: Path
) -> Tensor:
    """The originals of pictures, by their names, (B, C, H, W).

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If some are missing, two have one name, one can't be read, or one lies in the
            folder to be written to.
    """
    files, _ = image_files(folder)
    check_apart("--originals", files, out)
    found = {file.stem: file for file in files}
    missing = [name for name in names if name not in found]
    if missing:
        others = f" nor of {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"There is no original called {in_one_line(missing[0])} in {folder}{others}; add "
            f"{'them' if others else 'it'}, or leave out --originals."
        )
    return torch.cat([read_images(found[name], shape)[0] for name in names])


def check_apart(flag: str, files: list[Path], out: Path) -> None:
    """Raises if a file that is read lies in the folder that is written to, links followed.

    Raises:
        ValueError: If one does.
    """
    place = out.resolve()
    inside = [file for file in files if file.resolve().is_relative_to(place)]
    if inside:
        raise ValueError(
            f"{in_one_line(inside[0])} of {flag} lies in {out}, where the results are written; "
            "choose another --out."
        )


def _first(failed: dict[str, str]) -> str:
    name, reason = next(iter(failed.items()))
    return reason if in_one_line(name) in reason else f"{in_one_line(name)}: {reason}"
