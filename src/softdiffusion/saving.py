"""Models on disk: a folder with the configuration as JSON and the weights as safetensors."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from .configuration import from_config, to_config
from .denoisers import EMA, BaseDenoiser
from .priors import DataPrior, Prior
from .process import SoftDiffusion

__all__ = ["MODEL_FILES", "check_savable", "load", "save", "state_of"]

_FORMAT = 1
_CONFIG = "config.json"
_WEIGHTS = "ema.safetensors"
_TENSORS = "config.safetensors"

#: What a model consists of; the last is absent where no argument is a tensor.
MODEL_FILES = (_CONFIG, _WEIGHTS, _TENSORS)


def save(path: str | Path, denoiser: BaseDenoiser, prior: Prior | None = None) -> None:
    """Writes a model to a folder: `config.json`, `ema.safetensors`, `config.safetensors`.

    The second holds the network's weights, the third the tensors among the constructor arguments
    (it is absent if there are none).

    The folder NAME is written as `.NAME.draft` beside its place and then renamed. If a model is
    there already, it is first renamed to `.NAME.old`, and deleted last. So whenever the program is
    killed, there is a complete model, the old or the new one, in NAME, or, in the instant between
    the two renames, in `.NAME.old`; `load` says so in that case. This holds for one writer at a
    time, and not for a power cut.

    Arguments:
        path: The folder; what exists there already must be a model, or empty.
        denoiser: The denoiser. An `EMA` is saved as the averaged denoiser that it holds.
        prior: Where sampling starts.

    Raises:
        ValueError: If the prior is a `DataPrior` or belongs to another process than the denoiser, a
            part can't be written as configuration, or the folder holds something else than a model.
    """
    from . import __version__  # the package imports this module before it is complete

    check_savable(denoiser, prior)
    folder = Path(path).resolve()
    _check_replaceable(folder)
    if isinstance(denoiser, EMA):
        denoiser = denoiser.denoiser
    parts, tensors = to_config({"denoiser": denoiser, "prior": prior})
    config = {"format_version": _FORMAT, "softdiffusion": __version__, **parts}

    draft, old = _beside(folder, "draft"), _beside(folder, "old")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    safetensors.torch.save_file(state_of(denoiser), draft / _WEIGHTS)
    if tensors:
        safetensors.torch.save_file(tensors, draft / _TENSORS)

    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(
    path: str | Path, device: torch.device | str = "cpu", trust: Sequence[str] = ()
) -> tuple[BaseDenoiser, Prior | None]:
    """Reads a model that `save` wrote.

    Arguments:
        path: The folder.
        device: Where the denoiser's weights go.
        trust: Packages or modules, as dotted names, whose classes may be built, for a model with a
            backbone of one's own. Building a class runs its code.

    Returns:
        The denoiser, in evaluation mode, and the prior, or None where none was saved.

    Raises:
        FileNotFoundError: If the folder, its configuration or its weights are missing.
        ValueError: If a file is damaged, a tensor of the configuration is missing, the format is
            newer than this version, a class is foreign, the weights don't fit the network, or
            prior and denoiser have different processes.
    """
    folder = Path(path)
    config = _read_config(folder)
    tensors = _read_tensors(folder / _TENSORS) if (folder / _TENSORS).exists() else {}
    denoiser = from_config(config["denoiser"], tensors, trust)
    prior = from_config(config.get("prior"), tensors, trust)
    if not isinstance(denoiser, BaseDenoiser):
        raise ValueError(f"{folder / _CONFIG} holds a {type(denoiser).__name__} as denoiser.")
    if not isinstance(prior, Prior | None):
        raise ValueError(f"{folder / _CONFIG} holds a {type(prior).__name__} as prior.")
    if prior is not None and not _same(prior.process, denoiser.process):
        raise ValueError(
            f"{folder / _CONFIG} is damaged: its denoiser and its prior have different processes; "
            "restore it from a copy."
        )
    weights = _read_tensors(folder / _WEIGHTS)
    _check_weights(folder / _WEIGHTS, denoiser, weights)
    # Assigned, not copied, so that a model keeps the precision in which it was saved.
    denoiser.load_state_dict(weights, assign=True)
    return denoiser.to(device).eval(), prior


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers on the CPU, as copies: safetensors refuses tensors that share memory."""
    return {
        name: tensor.detach().cpu().clone().contiguous()
        for name, tensor in module.state_dict().items()
    }


def check_savable(denoiser: BaseDenoiser, prior: Prior | None) -> None:
    """Checks that the two can be saved as one model.

    Raises:
        ValueError: If the prior is a `DataPrior` or belongs to another process than the denoiser.
    """
    if isinstance(prior, DataPrior):
        raise ValueError(
            "A DataPrior isn't saved, since that would copy the training images into the model; "
            "save a GaussianPrior or MixturePrior, or none and pass the data when sampling."
        )
    if prior is not None and not _same(prior.process, denoiser.process):
        raise ValueError(
            f"The {type(prior).__name__} starts another process than the one that the denoiser "
            "undoes; fit it with the denoiser's own process."
        )


def _same(a: SoftDiffusion, b: SoftDiffusion) -> bool:
    """Whether two processes are written alike."""
    (config_a, tensors_a), (config_b, tensors_b) = to_config(a), to_config(b)
    # Equal configurations name the same tensors.
    return config_a == config_b and all(tensors_a[key].equal(tensors_b[key]) for key in tensors_a)


def _beside(folder: Path, role: str) -> Path:
    return folder.with_name(f".{folder.name}.{role}")


def _check_replaceable(folder: Path) -> None:
    """Raises unless deleting the folder would lose nothing but a model."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"A model is a folder, but {folder} is a file; choose another place.")
    names = {child.name for child in folder.iterdir()}
    foreign = sorted(names.difference(MODEL_FILES))
    if foreign or (names and _CONFIG not in names):
        what = f"it holds {foreign[0]}" if foreign else f"it has no {_CONFIG}"
        raise ValueError(
            f"{folder} is not replaced, since {what} and so is not only a saved model; choose "
            "another folder, or empty this one."
        )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / _CONFIG
    if not path.is_file():
        old = _beside(folder.resolve(), "old")
        remedy = f"a save was interrupted, rename {old} to it" if old.exists() else "check the path"
        raise FileNotFoundError(f"{folder} is not a saved model, it has no {_CONFIG}; {remedy}.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); restore it from a copy.") from None
    version = config.get("format_version") if isinstance(config, dict) else None
    if not isinstance(version, int) or "denoiser" not in config:
        raise ValueError(
            f"{path} is not the configuration of a model: it lacks format_version or denoiser."
        )
    if version > _FORMAT:
        raise ValueError(
            f"{path} has format {version}, but this version of softdiffusion reads formats up to "
            f"{_FORMAT}; upgrade softdiffusion."
        )
    return config


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"The model lacks its file {path}; restore it from a copy.")
    try:
        # Read as a whole: mapped into memory, the weights would change with the file.
        return safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); restore it from a copy.") from None


def _check_weights(path: Path, denoiser: BaseDenoiser, weights: dict[str, Tensor]) -> None:
    expected = denoiser.state_dict()
    faults = [f"{name} is missing" for name in expected if name not in weights]
    faults += [f"{name} is unknown" for name in weights if name not in expected]
    faults += [
        f"{name} has shape {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise ValueError(
            f"The weights in {path} don't fit the network of {_CONFIG}: {faults[0]}{more}."
        )
