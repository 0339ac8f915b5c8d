"""Say what a saved model is."""

from pathlib import Path

import torch
from jsonargparse import Namespace

from ..denoisers import BaseDenoiser
from ..quoting import shortened
from ..saving import class_names, load, model_folder
from .models import recipe_of
from .parser import Parser

__all__ = ["parser", "run"]


def parser() -> Parser:
    """The arguments of `softdiffusion info`."""
    parser = Parser()
    parser.add_argument("--config", action="config", help="These arguments in YAML.")
    parser.add_argument("--model", type=Path, required=True, help="A run's folder, or a model's.")
    parser.add_argument("--trust", nargs="+", type=str, default=[])
    return parser


def run(arguments: Namespace) -> None:
    """Prints corruption, schedule, network, start and the data that it was trained on."""
    path = arguments.model
    denoiser, prior = load(path, trust=arguments.trust)
    process = denoiser.process
    severity, sigma = process.schedule(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    names = class_names(path)
    recipe = recipe_of(path)
    objective = recipe.get("objective")
    rows = {
        "model": model_folder(path),
        "network": f"{type(getattr(denoiser, 'backbone', denoiser)).__name__}, "
        f"{sum(p.numel() for p in denoiser.parameters()):,} weights",
        "precision": _precision(denoiser),
        "corruption": f"{type(process.corruption).__name__}, severity in {process.corruption.unit}",
        "severity": " -> ".join(f"{value:.3g}" for value in severity) + " at t = 0, 0.5, 1",
        "sigma": " -> ".join(f"{value:.3g}" for value in sigma) + " at t = 0, 0.5, 1",
        "prior": type(prior).__name__ if prior else "none",
        "classes": ", ".join(names) if names else denoiser.classes or "none",
        "data": recipe.get("data", "not recorded"),
        "objective": objective.get("class_path") if isinstance(objective, dict) else "not recorded",
        "images seen": recipe.get("images", "not recorded"),
    }
    for name, value in rows.items():
        print(f"{name:<12} {shortened(value, quote=False)}")


def _precision(denoiser: BaseDenoiser) -> str:
    """The types of its weights and buffers."""
    tensors = denoiser.state_dict().values()
    types = {str(t.dtype).removeprefix("torch.") for t in tensors if t.is_floating_point()}
    return " and ".join(sorted(types)) or "no weights"
