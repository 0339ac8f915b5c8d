"""What a run was started with, so that nothing else goes on in its folder."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from torch import Tensor

from ..configuration import to_config
from ..data import Images
from ..denoisers import BaseDenoiser
from ..objectives import Objective
from .labels import labels_of
from .options import TrainingOptions

__all__ = ["claim"]

#: Settings that may change between two calls without changing what is learned up to there.
_FREE = ("log_every", "checkpoint_every", "sample_every", "decay")


def claim(
    out: Path,
    data: Images,
    denoiser: BaseDenoiser,
    objective: Objective,
    options: TrainingOptions,
    seed: int,
    flips: bool,
) -> None:
    """Writes `training.json`, or checks that the folder belongs to a training of the same kind.

    Arguments:
        out: The folder of the run; the others are those of `train`.

    Raises:
        ValueError: If the folder belongs to another training, its `training.json` is damaged, or
            the data lack the labels that the denoiser's classes need.
    """
    config: dict[str, Any] = {
        "denoiser": to_config(denoiser)[0],
        "objective": to_config(objective)[0],
        "options": {name: value for name, value in vars(options).items() if name not in _FREE},
        "seed": seed,
        "flips": flips,
        "data": data.digest(),
        "labels": _labels_digest(labels_of(data, denoiser.classes)),
    }
    path = out / "training.json"
    if path.exists():
        _compare(path, config)
        return
    out.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(config, indent=2))
    os.replace(draft, path)


def _compare(path: Path, config: dict[str, Any]) -> None:
    try:
        known = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}), so nobody knows whether this training may go on there; "
            "choose another folder, or restore it from a copy."
        ) from None
    others = [name for name, value in config.items() if known.get(name) != _plain(value)]
    if others:
        raise ValueError(
            f"The folder {path.parent} holds a training with another configuration of "
            f"{' and '.join(others)} (see {path.name} in it); choose another folder, or give the "
            "same arguments to go on."
        )


def _plain(value: Any) -> Any:
    """The value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _labels_digest(labels: Tensor | None) -> str | None:
    return None if labels is None else hashlib.sha256(labels.numpy().tobytes()).hexdigest()
