"""The folder of a model: its files, and what its configuration must hold."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..configuration import to_config
from ..denoisers import BaseDenoiser
from ..files import check_inside, check_regular, read_json
from ..priors import Prior
from ..process import SoftDiffusion
from ..quoting import shortened

__all__ = [
    "CONFIG",
    "FORMAT",
    "KINDS",
    "MODEL_FILES",
    "TENSORS",
    "WEIGHTS",
    "as_path",
    "beside",
    "check_types",
    "checkpoints",
    "class_names",
    "model_digest",
    "model_files",
    "model_folder",
    "read_config",
    "same_process",
]

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "ema.safetensors"
TENSORS = "config.safetensors"

#: What a model consists of; the last is absent where no argument is a tensor.
MODEL_FILES = (CONFIG, WEIGHTS, TENSORS)

#: What a configuration describes.
KINDS = {"denoiser": BaseDenoiser, "prior": Prior | None}

_KEYS = ("format_version", "softdiffusion", "classes", *KINDS)

#: The largest configuration, in bytes; a thousand levels take 20,000, and tensors are kept apart.
_LARGEST = 4 * 2**20

#: The exact form of a checkpoint's name, so that a copy of somebody's is none.
_CHECKPOINT = re.compile(r"checkpoint-[0-9]{12}")


def model_folder(path: str | Path) -> Path:
    """The folder of a model: the given one, or within a run's folder `final`, or before the end of
    the training the model of the newest checkpoint.

    Raises:
        TypeError: If the path is no path.
        ValueError: If a link leads from the run's folder to another one.
    """
    folder = as_path(path)
    if (folder / CONFIG).exists():
        return folder
    found = folder / "final"
    if not found.is_dir():
        models = [checkpoint / "model" for checkpoint in checkpoints(folder)]
        found = next((model for model in reversed(models) if model.is_dir()), folder)
    check_inside(found, folder)
    return found


def model_files(folder: Path) -> dict[str, Path]:
    """The files of a model by their names, of which no other is read.

    Raises:
        FileNotFoundError: If configuration or weights are missing.
        ValueError: If one is no regular file, or a link that leads out of the folder.
    """
    if not (folder / CONFIG).is_symlink() and not (folder / CONFIG).exists():
        old = beside(Path(os.path.realpath(folder)), "old")
        remedy = f"a save was interrupted, rename {old} to it" if old.exists() else "check the path"
        raise FileNotFoundError(f"{folder} is not a saved model, it has no {CONFIG}; {remedy}.")
    if not (folder / WEIGHTS).is_symlink() and not (folder / WEIGHTS).exists():
        raise FileNotFoundError(
            f"The model lacks its file {folder / WEIGHTS}; restore it from a copy."
        )
    paths = [folder / name for name in MODEL_FILES]
    files = {path.name: path for path in paths if path.is_symlink() or path.exists()}
    for file in files.values():
        check_inside(file, folder)
        check_regular(file)
    return files


def model_digest(path: str | Path) -> str:
    """The SHA-256 of the files of a model, in hexadecimal; others in its folder do not count.

    Arguments:
        path: The folder of a model or of a run (see `model_folder`).

    Raises:
        FileNotFoundError: If there is no model.
        ValueError: If one of its files is none.
    """
    content = hashlib.sha256()
    for name, file in sorted(model_files(model_folder(path)).items()):
        content.update(f"{name} {file.stat().st_size} ".encode())
        content.update(file.read_bytes())
    return content.hexdigest()


def class_names(path: str | Path) -> tuple[str, ...] | None:
    """The names of a model's classes in the order of the labels, or None where none were saved.

    Arguments:
        path: The folder of a model or of a run (see `model_folder`).

    Raises:
        FileNotFoundError: If there is no model.
        ValueError: If its configuration is damaged.
    """
    names = read_config(model_files(model_folder(path))[CONFIG]).get("classes")
    return None if names is None else tuple(names)


def as_path(path: str | Path) -> Path:
    """A path, if it is one, and not an empty text, which would be the working directory."""
    if not isinstance(path, str | Path):
        raise TypeError(f"path must be a str or a Path, but is {shortened(path)}.")
    if not str(path) or "\0" in str(path):
        raise ValueError(f"path must be that of a folder, but is {str(path)!r}.")
    return Path(path)


def beside(folder: Path, role: str) -> Path:
    """The place of a draft or of the old model while a folder is replaced."""
    return folder.with_name(f".{folder.name}.{role}")


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints in a run's folder, the newest last; nothing that has another name is one."""
    children = list(run.iterdir()) if run.is_dir() else []
    return sorted(path for path in children if _CHECKPOINT.fullmatch(path.name) and path.is_dir())


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of a model, if it is one that this version reads.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is damaged, of a newer format or no configuration of a model.
    """
    config = read_json(path, _LARGEST)
    version = config.get("format_version") if isinstance(config, dict) else None
    if type(version) is not int or "denoiser" not in config:
        raise ValueError(
            f"{path} is not the configuration of a model: it lacks format_version or denoiser."
        )
    if version > FORMAT:
        raise ValueError(
            f"{path} has format {shortened(version)}, but this version of softdiffusion reads "
            f"formats up to {FORMAT}; upgrade softdiffusion."
        )
    unknown = sorted(config.keys() - set(_KEYS))
    if version < 1 or unknown:
        what = f"the key {shortened(unknown[0])}" if unknown else f"format {shortened(version)}"
        raise ValueError(f"{path} is damaged (it has {what}); restore it from a copy.")
    names = config.get("classes")
    if names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise ValueError(
            f"{path} is damaged (classes is no list of names); restore it from a copy."
        )
    return config


def check_types(types: Mapping[str, torch.dtype], trusted: bool) -> None:
    """Raises unless the tensors of a configuration are of types that its parts compute in.

    A prior's are real, and others are not complex, unless for a class of one's own.
    """
    for name, dtype in types.items():
        unreal = name.startswith("prior.") and not dtype.is_floating_point
        if unreal or (dtype.is_complex and not trusted):
            raise ValueError(
                f"The tensor {shortened(name)} must hold real numbers, but is {dtype}; save it as "
                "torch.float32."
            )


def same_process(a: SoftDiffusion, b: SoftDiffusion) -> bool:
    """Whether two processes are written alike."""
    (config_a, tensors_a), (config_b, tensors_b) = to_config(a), to_config(b)
    # Equal configurations name the same tensors.
    return config_a == config_b and all(tensors_a[key].equal(tensors_b[key]) for key in tensors_a)
