"""Checkpoints: all that a training needs to go on as if it had never stopped."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..saving import state_of

__all__ = ["Checkpoint", "Checkpoints"]

_FORMAT = 1


@dataclass
class Checkpoint:
    """The objects whose state is kept. Random numbers need none: they follow from the position."""

    denoiser: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    times: Tensor


class Checkpoints:
    """The checkpoints of a run, in folders `checkpoint-IMAGES`; the newest one is kept.

    A checkpoint is written beside its final place and then renamed, and the one before is deleted
    last, so that there is a whole one at every moment.

    Arguments:
        folder: The folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def newest(self) -> Path | None:
        """The last whole checkpoint, or None."""
        return max(self.folder.glob("checkpoint-*[0-9]"), default=None)

    def save(self, checkpoint: Checkpoint, images: int) -> None:
        """Writes the state after `images` images."""
        target = self.folder / f"checkpoint-{images:012d}"
        draft = self.folder / "checkpoint.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        save_file(state_of(checkpoint.denoiser), draft / "denoiser.safetensors")
        save_file(state_of(checkpoint.ema), draft / "ema.safetensors")
        optimizer = _optimizer_tensors(checkpoint.optimizer)
        save_file(optimizer | {"times": checkpoint.times}, draft / "optimizer.safetensors")
        (draft / "state.json").write_text(json.dumps({"format": _FORMAT, "images": images}))
        older = [path for path in self.folder.glob("checkpoint-*[0-9]") if path != target]
        draft.rename(target)
        for path in older:
            shutil.rmtree(path)

    def restore(self, checkpoint: Checkpoint) -> int:
        """Loads the newest state into the objects and returns its count of images; 0 without one.

        Raises:
            ValueError: If the checkpoint is damaged, or belongs to another network.
        """
        path = self.newest
        if path is None:
            return 0
        try:
            state = json.loads((path / "state.json").read_text())
            denoiser = load_file(path / "denoiser.safetensors")
            ema = load_file(path / "ema.safetensors")
            optimizer = load_file(path / "optimizer.safetensors")
            times = optimizer.pop("times")
            found, images = state["format"], int(state["images"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"The checkpoint {path} is damaged ({error}); delete that folder to start again, "
                "or restore it from a copy."
            ) from None
        if found != _FORMAT:
            raise ValueError(
                f"The checkpoint {path} has format {found}, but this version reads "
                f"format {_FORMAT}; use the version of softdiffusion that wrote it."
            )
        try:
            checkpoint.denoiser.load_state_dict(denoiser)
            checkpoint.ema.load_state_dict(ema)
        except RuntimeError:
            raise ValueError(
                f"The checkpoint {path} belongs to another network; choose another --out, or the "
                "configuration that it was started with."
            ) from None
        checkpoint.times.copy_(times)
        _load_optimizer(checkpoint.optimizer, optimizer)
        return images


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
