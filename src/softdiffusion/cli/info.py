"""Say what a saved model is."""

from pathlib import Path

import torch
from jsonargparse import Namespace

from ..saving import load
from .models import model_folder, recipe_of
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
    folder = model_folder(path)
    denoiser, prior = load(folder, trust=arguments.trust)
    process = denoiser.process
    severity, sigma = process.schedule(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    recipe = recipe_of(path)
    rows = {
        "model": folder,
        "network": f"{type(getattr(denoiser, 'backbone', denoiser)).__name__}, "
        f"{sum(p.numel() for p in denoiser.parameters()):,} weights",
        "corruption": f"{type(process.corruption).__name__}, severity in {process.corruption.unit}",
        "severity": " -> ".join(f"{value:.3g}" for value in severity) + " at t = 0, 0.5, 1",
        "sigma": " -> ".join(f"{value:.3g}" for value in sigma) + " at t = 0, 0.5, 1",
        "prior": type(prior).__name__ if prior else "none",
        "data": recipe.get("data", "not recorded"),
        "objective": recipe.get("objective", {}).get("class_path", "not recorded"),
        "images seen": recipe.get("images", "not recorded"),
    }
    for name, value in rows.items():
        print(f"{name:<12} {value}")
