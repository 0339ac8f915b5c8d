"""Saving a model."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..configuration import check_config, packages_of, to_config
from ..denoisers import EMA, BaseDenoiser
from ..denoisers.plain import plain
from ..files import rename, sync, write_json
from ..priors import DataPrior, Prior
from ..quoting import shortened
from ..slots import PACKAGE
from ..tensors import not_finite, write_tensors
from .folder import (
    CONFIG,
    FORMAT,
    KINDS,
    MODEL_FILES,
    TENSORS,
    WEIGHTS,
    as_path,
    beside,
    check_types,
    same_process,
)

__all__ = ["check_savable", "save", "state_of"]


def save(
    path: str | Path,
    denoiser: nn.Module,
    prior: Prior | None = None,
    classes: Sequence[str] | None = None,
) -> None:
    """Writes a model to a folder: `config.json`, `ema.safetensors`, `config.safetensors`.

    The second holds the network's weights, the third the tensors among the constructor arguments
    (it is absent if there are none).

    The folder NAME is written as `.NAME.draft` beside its place, brought to the disk and then
    renamed. If a model is there already, it is first renamed to `.NAME.old`, and deleted last. So
    whenever the program is killed, or the power fails, there is a complete model, the old or the
    new one, in NAME, or, in the instant between the two renames, in `.NAME.old`; `load` says so in
    that case. This holds for one writer at a time.

    Arguments:
        path: The folder; what exists there already must be a model, or empty.
        denoiser: The denoiser, also within `torch.compile`, `DataParallel` or its distributed form.
            An `EMA` is saved as the averaged denoiser that it holds.
        prior: Where sampling starts.
        classes: The names of the classes, in the order of the labels.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the prior is a `DataPrior` or belongs to another process than the denoiser, a
            part can't be written as configuration, weights or tensors are not finite, there are
            more names than classes, or the folder holds something else than a model.
        OSError: If it can't be written.
    """
    folder = _replaceable(path)
    denoiser = _bare(denoiser)
    config, tensors = _described(denoiser, prior, classes)
    weights = state_of(denoiser)
    if name := not_finite(weights):
        raise ValueError(
            f"The weights {shortened(name)} hold NaN or infinity, so the training has diverged and "
            "the model is not saved; train again with a lower learning rate."
        )

    draft, old = beside(folder, "draft"), beside(folder, "old")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        write_json(draft / CONFIG, config)
        write_tensors(draft / WEIGHTS, weights)
        if tensors:
            write_tensors(draft / TENSORS, tensors)
        for file in draft.iterdir():
            sync(file)
        sync(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    try:
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            rename(folder, old)
        rename(draft, folder)
    except BaseException:  # Ctrl-C between the two, say
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        shutil.rmtree(draft, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def check_savable(
    denoiser: nn.Module, prior: Prior | None, classes: Sequence[str] | None = None
) -> None:
    """Checks that they can be saved as one model, and loaded again.

    Raises:
        TypeError: If one is of another type.
        ValueError: As `save`.
    """
    _described(_bare(denoiser), prior, classes)


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers on the CPU, as copies: safetensors refuses tensors that share memory.

    Raises:
        ValueError: If one of them is sparse.
    """
    state = module.state_dict()
    for name, tensor in state.items():
        if tensor.layout is not torch.strided:
            raise ValueError(
                f"The tensor {name} is sparse, and is not saved; use to_dense() first."
            )
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}


def _bare(denoiser: nn.Module) -> BaseDenoiser:
    """The denoiser that is saved, without wrappers."""
    bare = plain(denoiser) if isinstance(denoiser, nn.Module) else denoiser
    if isinstance(bare, EMA):
        bare = bare.denoiser
    if not isinstance(bare, BaseDenoiser):
        raise TypeError(
            f"denoiser must be a softdiffusion.BaseDenoiser, but is a {type(bare).__name__}; a "
            "network becomes one by softdiffusion.Denoiser(network, process)."
        )
    return bare


def _described(
    denoiser: BaseDenoiser, prior: Prior | None, classes: Sequence[str] | None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The configuration of a model and its tensors, if `load` will take them."""
    from .. import __version__  # the package imports this module before it is complete

    if not isinstance(prior, Prior | None):
        raise TypeError(f"prior must be a softdiffusion.Prior, but is a {type(prior).__name__}.")
    if isinstance(prior, DataPrior):
        raise ValueError(
            "A DataPrior isn't saved, since that would copy the training images into the model; "
            "save a GaussianPrior or MixturePrior, or none and pass the data when sampling."
        )
    if prior is not None and not same_process(prior.process, denoiser.process):
        raise ValueError(
            f"The {type(prior).__name__} starts another process than the one that the denoiser "
            "undoes; fit it with the denoiser's own process."
        )
    parts, tensors = to_config({"denoiser": denoiser, "prior": prior})
    packages = packages_of(parts)
    check_config(parts, tensors, tuple(packages), KINDS)
    check_types({k: t.dtype for k, t in tensors.items()}, trusted=packages != {PACKAGE})
    if name := not_finite(tensors):
        raise ValueError(f"The tensor {name} holds NaN or infinity, so the model is not saved.")
    config = {"format_version": FORMAT, "softdiffusion": __version__, **parts}
    if classes is not None:
        config["classes"] = _checked_names(classes, denoiser.classes)
    return config, tensors


def _checked_names(classes: Sequence[str], count: int) -> list[str]:
    """The names of the classes, if they are names, and no more than there are classes."""
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"classes must be a list of names, but is {shortened(classes)}.")
    if count and len(classes) > count:
        raise ValueError(
            f"The denoiser knows {count} classes, but {len(classes)} names were given; give one "
            "for each."
        )
    return list(classes)


def _replaceable(path: str | Path) -> Path:
    """The resolved path of a folder, if deleting it would lose nothing but a model."""
    folder = Path(os.path.realpath(as_path(path)))
    if folder == Path.cwd():
        raise ValueError(
            f"{folder} is the working directory, which can't be replaced; give the name of a "
            "folder in it."
        )
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise ValueError(f"A model is a folder, but {folder} is a file; choose another place.")
    names = {child.name for child in folder.iterdir()}
    foreign = sorted(names.difference(MODEL_FILES))
    if foreign or (names and CONFIG not in names):
        what = f"it holds {foreign[0]}" if foreign else f"it has no {CONFIG}"
        raise ValueError(
            f"{folder} is not replaced, since {what} and so is not only a saved model; choose "
            "another folder, or empty this one."
        )
    return folder
