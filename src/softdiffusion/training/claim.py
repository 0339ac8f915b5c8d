"""What a run was started with, so that nothing else goes on in its folder."""

import hashlib
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from torch import Tensor

from ..configuration import to_config
from ..data import Images, Stream
from ..denoisers import BaseDenoiser
from ..files import locked, read_json, write_json
from ..objectives import Objective
from ..saving import model_digest
from .labels import labels_of
from .options import TrainingOptions

__all__ = ["RECIPE", "alone", "claim", "described"]

#: The file in a run's folder in which the command says, at the end, how it was trained.
RECIPE = "recipe.yaml"

#: Settings that may change between two calls: what was learned up to there stays right. A learning
#: rate at which the loss diverged has to be lowered.
_FREE = (
    "accumulate",
    "learning_rate",
    "decay",
    "decay_shape",
    "ema_every",
    "compile",
    "workers",
    "log_every",
    "checkpoint_every",
    "sample_every",
    "validate_every",
    "track",
)

#: Settings that came later: runs from before go on where these have their defaults.
_LATER = ("weight_decay", "ema_lengths")
_DEFAULTS = vars(TrainingOptions())


def described(
    data: Images | Stream,
    denoiser: BaseDenoiser,
    objective: Objective,
    options: TrainingOptions,
    seed: int,
    flips: bool,
    turns: bool,
    init: Path | None,
) -> dict[str, Any]:
    """What a training is, as plain data, but for what may change in its folder.

    The arguments are those of `train`.

    Raises:
        ValueError: If the data lack the labels that the denoiser's classes need.
    """
    network, network_tensors = to_config(denoiser)
    loss, loss_tensors = to_config(objective)
    config = {
        "denoiser": network,
        "objective": loss,
        "tensors": _digests({"denoiser": network_tensors, "objective": loss_tensors}),
        "options": {
            name: value
            for name, value in vars(options).items()
            if name not in _FREE and not (name in _LATER and value == _DEFAULTS[name])
        },
        "seed": seed,
        "flips": flips,
        "data": data.digest(),
        "labels": _labels_digest(labels_of(data, denoiser.classes)),
    }
    if turns:
        config["turns"] = turns
    if init is not None:
        config["init"] = model_digest(init)
    return config


def claim(out: str | Path, config: dict[str, Any], *, write: bool = True) -> str:
    """Writes `training.json`, or checks that the folder belongs to a training of the same kind.

    Arguments:
        out: The folder of the run.
        config: What the training is, as `described`.
        write: Whether a folder without `training.json` gets one.

    Returns:
        The SHA-256 of the configuration, in hexadecimal.

    Raises:
        ValueError: If the folder belongs to another training, or its `training.json` is damaged.
    """
    path = Path(out) / "training.json"
    if path.exists():
        _compare(path, config)
    elif write:
        write_json(path, config)
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def alone(out: Path) -> AbstractContextManager[None]:
    """Holds a run's folder for this process, until the block or the process ends.

    Raises:
        ValueError: If another process holds it.
    """
    return locked(
        out / "training.lock",
        f"Another process trains in {out} at this moment; wait until it ends, or choose another "
        "folder.",
        timeout=0,
    )


def _compare(path: Path, config: dict[str, Any]) -> None:
    try:
        known = read_json(path)
        if not isinstance(known, dict):
            raise ValueError(f"{path} is damaged (it is no object); restore it from a copy.")
    except ValueError as error:
        raise ValueError(
            f"{str(error).rstrip('.')}, or choose another folder, for nobody knows whether this "
            "training may go on there."
        ) from None
    names = dict.fromkeys((*config, *known))
    others = [name for name in names if known.get(name) != _plain(config.get(name))]
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
    return None if labels is None else _digest(labels)


def _digests(tensors: dict[str, dict[str, Tensor]]) -> dict[str, str] | None:
    """What tells kernels, masks and matrices of two configurations apart."""
    found = {f"{part}.{k}": _digest(v) for part, own in tensors.items() for k, v in own.items()}
    return found or None


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
