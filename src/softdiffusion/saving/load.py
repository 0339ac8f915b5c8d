"""Loading a model, which may be a stranger's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..allowance import Allowance
from ..configuration import build, check_config, tensors_of
from ..denoisers import BaseDenoiser, Denoiser
from ..priors import Prior
from ..quoting import shortened
from ..slots import PACKAGE, is_within
from ..tensors import Entry, not_finite, read_header, read_tensors
from .folder import (
    CONFIG,
    KINDS,
    TENSORS,
    WEIGHTS,
    check_types,
    model_files,
    model_folder,
    read_config,
    same_process,
)

__all__ = ["check_device", "load"]

#: Numbers that the constructors of all parts but networks may ask for beyond what the tensors and
#: weights account for (a matrix is copied and decomposed some ten times), and torch's functions.
_SPARE, _COPIES, _CALLS = 2**26, 32, 20_000

#: The same for networks: what some of them build and replace.
_NETWORK_SPARE, _NETWORK_CALLS = 2**18, 5_000


def load(
    path: str | Path, device: torch.device | str = "cpu", trust: Sequence[str] = ()
) -> tuple[BaseDenoiser, Prior | None]:
    """Reads a model that `save` wrote, with weights in the precision in which they were saved.

    A folder may come from strangers: without `trust` only classes of this package are built, files
    that are no files or lie elsewhere are refused, and no more memory is taken than the weights
    and tensors in the folder account for (see `SECURITY.md`).

    Arguments:
        path: The folder of a model or of a run (see `model_folder`).
        device: Where the denoiser's weights go.
        trust: Packages or modules, as dotted names, whose classes may be built, for a model with a
            backbone of one's own. Building a class runs its code.

    Returns:
        The denoiser, in evaluation mode, and the prior, or None where none was saved.

    Raises:
        FileNotFoundError: If the folder, its configuration or its weights are missing.
        ValueError: If a file is damaged, a tensor of the configuration is missing, the format is
            newer than this version, a class is foreign, the weights don't fit the network or are
            not finite, prior and denoiser have different processes, or the device can't be used.
        ImportError: If a class needs a package that is not installed.
    """
    check_device(device)
    trust = (trust,) if isinstance(trust, str) else tuple(trust)
    files = model_files(model_folder(path))
    config = read_config(files[CONFIG])
    parts = {name: config.get(name) for name in KINDS}
    held = read_header(files[TENSORS]) if TENSORS in files else {}
    header = read_header(files[WEIGHTS])
    try:
        check_config(parts, held, trust, KINDS)
        _check_held(parts, held, trust)
        tensors = read_tensors(files[TENSORS]) if held else {}
        if name := not_finite(tensors):
            raise ValueError(f"its tensor {shortened(name)} holds NaN or infinity.")
        built = build(parts, tensors, trust, _allowances(header, held))
    except ValueError as error:
        raise ValueError(f"{files[CONFIG]} can't be loaded: {error}") from None
    denoiser, prior = built["denoiser"], built["prior"]
    if prior is not None and not same_process(prior.process, denoiser.process):
        raise ValueError(
            f"{files[CONFIG]} is damaged: its denoiser and its prior have different processes; "
            "restore it from a copy."
        )
    _check_fit(files[WEIGHTS], denoiser, header)
    weights = read_tensors(files[WEIGHTS])
    _check_values(files[WEIGHTS], weights, tensors)
    # Assigned, not copied, so that a model keeps the precision in which it was saved.
    denoiser.load_state_dict(weights, assign=True)
    return denoiser.to(device).eval(), prior


def check_device(device: torch.device | str) -> None:
    """Raises a ValueError unless numbers can be put on a device and read back."""
    try:
        torch.zeros((), device=device).item()
    except (RuntimeError, AssertionError):  # unknown, not there, or without memory of its own
        known = "cpu or cuda" if torch.cuda.is_available() else "cpu"
        raise ValueError(
            f"The device {str(device)!r} can't be used on this machine; use {known}."
        ) from None


def _check_held(parts: dict[str, Any], held: Mapping[str, Entry], trust: Sequence[str]) -> None:
    """Raises unless all tensors of a configuration are named in it, and of a type that fits."""
    unnamed = sorted(held.keys() - tensors_of(parts))
    if unnamed:
        raise ValueError(f"it doesn't name the tensor {shortened(unnamed[0])} of {TENSORS}.")
    check_types({name: entry.dtype for name, entry in held.items()}, bool(trust))


def _allowances(
    header: Mapping[str, Entry], held: Mapping[str, Entry]
) -> tuple[Allowance, Allowance]:
    """What the files of a model say that networks, and all else, will ask for."""
    weights, tensors = (sum(entry.numel for entry in told.values()) for told in (header, held))
    # A weight is made, shaped and filled by some ten calls; EMA copies them.
    networks = Allowance(weights + _NETWORK_SPARE, 20 * len(header) + _NETWORK_CALLS)
    others = Allowance(_SPARE + 2 * weights + _COPIES * tensors, 40 * len(header) + _CALLS)
    return networks, others


def _check_fit(path: Path, denoiser: BaseDenoiser, header: Mapping[str, Entry]) -> None:
    """Raises unless the weights of a file are those of a network."""
    expected = denoiser.state_dict()
    faults = [f"{name} is missing" for name in expected if name not in header]
    faults += [
        f"{shortened(name, quote=False)} is unknown" for name in header if name not in expected
    ]
    for name, tensor in expected.items():
        told = header.get(name)
        if told is None:
            continue
        if told.shape != tuple(tensor.shape):
            faults.append(f"{name} has shape {told.shape} instead of {tuple(tensor.shape)}")
        real = told.dtype.is_floating_point and tensor.is_floating_point()
        if not real and told.dtype != tensor.dtype:
            faults.append(f"{name} is {told.dtype} instead of {tensor.dtype}")
    faults += _mixtures(denoiser, header)
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise ValueError(
            f"The weights in {path} don't fit the network of {CONFIG}: {faults[0]}{more}."
        )


def _check_values(path: Path, weights: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    """Raises unless weights are finite, and those that are arguments as well are the same."""
    if name := not_finite(weights):
        raise ValueError(
            f"{path} is of no use: {name} holds NaN or infinity; restore it from a copy."
        )
    for name, weight in weights.items():
        argument = tensors.get(f"denoiser.{name}")
        if argument is not None and not torch.equal(argument, weight):
            raise ValueError(
                f"{path} is damaged: {name} differs from that of {TENSORS}; restore it from a copy."
            )


def _mixtures(denoiser: BaseDenoiser, header: Mapping[str, Entry]) -> list[str]:
    """Those of the package's networks with weights of several types, which can't compute."""
    faults = []
    for name, module in denoiser.named_modules():
        if isinstance(module, Denoiser) and is_within(type(module.backbone).__module__, PACKAGE):
            prefix = f"{name}.backbone." if name else "backbone."
            types = {str(told.dtype) for key, told in header.items() if key.startswith(prefix)}
            if len(types) > 1:
                faults.append(f"those of {prefix[:-1]} mix {' and '.join(sorted(types))}")
    return faults
