"""Checkpoints: all that a training needs to go on as if it had never stopped."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from ..denoisers import EMA, BaseDenoiser
from ..files import check_regular, read_json, rename, sync, write_json
from ..priors import Prior
from ..saving import MODEL_FILES, checkpoints, save, state_of
from ..tensors import read_tensors, write_tensors

__all__ = ["Checkpoint", "Checkpoints", "written"]

_FORMAT = 2
_DENOISER, _REST, _STATE, _MODEL = (
    "denoiser.safetensors",
    "optimizer.safetensors",
    "state.json",
    "model",
)

#: The files of which a checkpoint keeps the digests, as far as it has them.
_DIGESTED = (_DENOISER, _REST, *(f"{_MODEL}/{name}" for name in MODEL_FILES))


@dataclass
class Checkpoint:
    """The objects whose state is kept. Random numbers need none: they follow from the position.

    Attributes:
        denoiser: The denoiser that is trained.
        ema: Its average, which is kept as a complete model.
        optimizer: Its optimizer.
        tensors: What else changes from step to step, by name.
        prior: The start that is kept with the model.
        classes: The names of the classes, if there are any.
        buffers: Buffers of the denoiser that are kept with other values than they have.
        place: Where a stream of images is, in what JSON can hold.
    """

    denoiser: BaseDenoiser
    ema: EMA
    optimizer: torch.optim.Optimizer
    tensors: dict[str, Tensor]
    prior: Prior | None = None
    classes: tuple[str, ...] | None = None
    buffers: dict[str, Tensor] = field(default_factory=dict)
    place: dict[str, Any] | None = None


class Checkpoints:
    """The checkpoints of a run, in folders `checkpoint-IMAGES` of 12 digits; the newest is kept.

    A checkpoint is written as a draft, brought to the disk and then renamed, and the one before is
    deleted last, so that there is a whole one at every moment. What is deleted is first renamed
    back to a draft, so that every folder of such a name is whole. Its `state.json` has the SHA-256
    of the run's configuration and of its own files, and `model/` is a saved model of the average.

    Arguments:
        folder: The folder of the run.
        run: The SHA-256 of the run's configuration.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder
        self.run = run
        self._draft = folder / "checkpoint.draft"

    @property
    def paths(self) -> list[Path]:
        """The checkpoints, the newest last."""
        return checkpoints(self.folder)

    @property
    def images(self) -> int:
        """How many images the newest one has seen; 0 without one."""
        return _count(self.paths[-1]) if self.paths else 0

    def save(self, checkpoint: Checkpoint, images: int) -> None:
        """Writes the state after `images` images.

        Raises:
            ValueError: If a weight, an average or a moment is not finite; nothing is written then.
            OSError: If it can't be written; the one before is kept then.
        """
        weights = state_of(checkpoint.denoiser)
        kept = {name: buffer.cpu().contiguous() for name, buffer in checkpoint.buffers.items()}
        weights |= {name: buffer for name, buffer in kept.items() if name in weights}
        rest = _optimizer_tensors(checkpoint.optimizer) | checkpoint.tensors
        rest["updates"] = checkpoint.ema.updates.cpu()
        for tensors in (weights, rest, state_of(checkpoint.ema)):
            _check_finite(tensors, images)
        older = self.paths
        self.tidy()
        with written(f"The checkpoint after {images} images", self._draft):
            self._draft.mkdir(parents=True)
            save(self._draft / _MODEL, checkpoint.ema, checkpoint.prior, checkpoint.classes)
            write_tensors(self._draft / _DENOISER, weights)
            write_tensors(self._draft / _REST, rest)
            state = {"format": _FORMAT, "images": images, "run": self.run}
            state |= {} if checkpoint.place is None else {"place": checkpoint.place}
            write_json(self._draft / _STATE, state | {"files": _digests(self._draft)})
            for path in (*self._draft.rglob("*"), self._draft):
                sync(path)
            rename(self._draft, self.folder / f"checkpoint-{images:012d}")
        for path in older:
            self._remove(path)

    def restore(self, checkpoint: Checkpoint) -> int:
        """Loads the newest state into the objects and returns its count of images; 0 without one.

        Raises:
            ValueError: If it is damaged, or belongs to another run or another network.
        """
        if not self.paths:
            return 0
        path = self.paths[-1]
        self._check(path)
        rest = read_tensors(path / _REST)
        try:
            checkpoint.denoiser.load_state_dict(read_tensors(path / _DENOISER))
            checkpoint.ema.denoiser.load_state_dict(read_tensors(path / _MODEL / "ema.safetensors"))
        except RuntimeError:
            raise ValueError(
                f"The checkpoint {path} belongs to another network; choose another --out, or the "
                "configuration that it was started with."
            ) from None
        checkpoint.ema.updates.copy_(rest.pop("updates"))
        for name, tensor in checkpoint.tensors.items():
            tensor.copy_(rest.pop(name))
        _load_optimizer(checkpoint.optimizer, rest)
        checkpoint.place = read_json(path / _STATE).get("place")
        return _count(path)

    def tidy(self) -> None:
        """Removes what a kill has left: a draft, and checkpoints before the newest."""
        shutil.rmtree(self._draft, ignore_errors=True)
        for path in self.paths[:-1]:
            self._remove(path)

    def _remove(self, path: Path) -> None:
        path.rename(self._draft)
        shutil.rmtree(self._draft)

    def _check(self, path: Path) -> None:
        """Raises unless a checkpoint is whole, and one of this run."""
        older = self.paths[:-1]
        again = f"from {older[-1].name}" if older else "from the beginning"
        try:
            fault = _fault(path, self.run)
        except (OSError, ValueError) as error:
            fault = f"is damaged ({str(error).rstrip('.')})"
        if fault:
            raise ValueError(
                f"The checkpoint {path} {fault}; delete that folder to start again {again}, or "
                "restore it from a copy."
            )


@contextmanager
def written(what: str, draft: Path | None = None) -> Iterator[None]:
    """Says in one sentence why a file can't be written, and removes the draft.

    Raises:
        OSError: If the disk is full, a limit is reached, or writing fails otherwise.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
        raise OSError(
            f"{what} can't be written ({error}); make room on the disk, or mend what else is "
            "wrong there, and the same command goes on."
        ) from error


def _fault(path: Path, run: str) -> str | None:
    """What is wrong with a checkpoint."""
    state = read_json(path / _STATE)
    if not isinstance(state, dict) or not {"format", "images"} <= state.keys():
        return f"is damaged ({_STATE} lacks format or images)"
    if state["format"] != _FORMAT:
        return f"has format {state['format']!r}, where this version reads format {_FORMAT}"
    if type(state["images"]) is not int or state["images"] != _count(path):
        return f"is damaged ({_STATE} counts {state['images']!r} images)"
    if state.get("run") != run:
        return "belongs to another training"
    found, known = _digests(path), state.get("files")
    if not isinstance(known, dict) or found.keys() != known.keys():
        return f"is damaged (it has the files {', '.join(found)} alone)"
    changed = [name for name in found if found[name] != known[name]]
    return f"is damaged ({changed[0]} has changed since it was written)" if changed else None


def _count(path: Path) -> int:
    return int(path.name.removeprefix("checkpoint-"))


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of a checkpoint's files."""
    digests = {}
    for name in _DIGESTED:
        if (folder / name).exists():
            check_regular(folder / name)
            with (folder / name).open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _check_finite(tensors: dict[str, Tensor], images: int) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{name} is not finite after {images} images; lower the learning rate, and the "
                "training goes on after its last checkpoint."
            )


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{parameter}.{name}": value.contiguous()
        for parameter, values in state.items()
        for name, value in values.items()
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        parameter, name = key.split(".")
        state.setdefault(int(parameter), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
