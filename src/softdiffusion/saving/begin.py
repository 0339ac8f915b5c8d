"""Beginning a training from the weights of a saved model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..arguments import checked
from ..configuration import to_config
from ..denoisers import BaseDenoiser
from ..denoisers.plain import plain
from ..quoting import shortened
from .folder import class_names, model_folder
from .load import load

__all__ = ["begin_from"]

#: Parts of a denoiser whose tensors are settings, and no weights of a network.
_SETTINGS = ("process", "preconditioning")

#: So many names are given, where there are more.
_FEW = 3


@checked
@torch.no_grad()
def begin_from(
    denoiser: BaseDenoiser,
    path: str | Path,
    classes: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Copies the weights of a saved model into a denoiser, which is to be trained from there.

    Weights and buffers of the network are taken by their names, in the denoiser's own precision.
    Process, preconditioning and start stay the denoiser's own. Of classes outside this package the
    model may have those that the denoiser has. Weights that the model lacks, such as those by which
    a network is told classes, stay as they are and are named.

    Arguments:
        denoiser: The denoiser, whose weights are changed.
        path: The folder of a model or of a run (see `model_folder`).
        classes: The names of the classes that the denoiser will be told.

    Returns:
        What differs between the two, each in a few words: the process and other settings, weights
        that begin anew, and the names of the classes.

    Raises:
        FileNotFoundError: If there is no model.
        ValueError: If a weight of the model has another shape in the network, or no place there,
            or the model can't be loaded. The denoiser stays as it was.
        ImportError: If a class needs a package that is not installed.
    """
    model, _ = load(path, trust=sorted({type(part).__module__ for part in denoiser.modules()}))
    own = plain(denoiser)
    (config, tensors), (own_config, own_tensors) = to_config(model), to_config(own)
    notes = [*_differences(config, own_config)]
    weights, learned = _network(own), _network(model)
    _check_fit(weights, learned, model_folder(path), notes)
    for name, tensor in learned.items():
        weights[name].copy_(tensor)
    notes += [
        f"{name} has other numbers"
        for name, tensor in tensors.items()
        if name in own_tensors and not own_tensors[name].equal(tensor)
    ]
    anew = [name for name in weights if name not in learned]
    if anew:
        notes.append(f"{_listed(anew)} begin anew, for the model has none")
    known = class_names(path)
    if classes is not None and known is not None and tuple(classes) != known:
        notes.append(f"classes: {shortened(list(classes))} instead of {shortened(list(known))}")
    return tuple(notes)


def _network(denoiser: torch.nn.Module) -> dict[str, Tensor]:
    """The weights and buffers of a denoiser's network, by their names."""
    return {
        name: tensor
        for name, tensor in denoiser.state_dict().items()
        if not set(name.split(".")).intersection(_SETTINGS)
    }


def _check_fit(
    weights: dict[str, Tensor], learned: dict[str, Tensor], folder: Path, notes: Sequence[str]
) -> None:
    """Raises unless everything that a model has learned has a place in a network."""
    faults = [
        f"{name} {tuple(tensor.shape)} is {tuple(weights[name].shape)} here"
        if name in weights
        else f"{name} has no place here"
        for name, tensor in learned.items()
        if name not in weights or weights[name].shape != tensor.shape
    ]
    if faults:
        others = [note for note in notes if not set(_SETTINGS).intersection(note.split("."))]
        raise ValueError(
            f"The network is another than that of {folder} ({_listed(others)}), and of the "
            f"{len(learned)} tensors there {len(faults)} do not fit ({_listed(faults)}); choose "
            "the same network and channels as there, or begin without a model."
        )


def _differences(there: Any, here: Any, place: str = "") -> Iterator[str]:
    """Where two configurations differ, in words."""
    parts = isinstance(there, dict) and isinstance(here, dict)
    if parts and there.get("class_path") == here.get("class_path"):
        there, here = (part.get("init_args", part) for part in (there, here))
        for name in {**there, **here}:
            inner = f"{place}.{name}" if place else name
            yield from _differences(there.get(name), here.get(name), inner)
    elif there != here:
        yield f"{place or 'denoiser'}: {_shown(here)} instead of {_shown(there)}"


def _shown(config: Any) -> str:
    """A part of a configuration, briefly."""
    if isinstance(config, dict) and "class_path" in config:
        return str(config["class_path"]).rpartition(".")[2]
    return shortened(config)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
