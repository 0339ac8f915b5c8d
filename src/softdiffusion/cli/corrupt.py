"""Draw a strip that shows the forward process on real images."""

from pathlib import Path

import torch
from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from ..plots import save_strip
from ..random import generators, randn
from .parser import Parser
from .recipe import Recipe, add_recipe

__all__ = ["parser", "run"]


def parser() -> Parser:
    """The arguments of `softdiffusion corrupt`."""
    parser = Parser()
    add_recipe(parser)
    parser.add_argument("--out", type=Path, required=True, help="The folder for corruption.png.")
    parser.add_argument("--count", type=PositiveInt, default=6, help="Images, one a row.")
    parser.add_argument("--columns", type=PositiveInt, default=9, help="Times, one a column.")
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    return parser


def run(arguments: Namespace) -> None:
    """Writes `corruption.png`."""
    recipe = Recipe(parser(), arguments)
    data = recipe.data()
    process = recipe.process(recipe.selection(data))
    path = arguments.out / "corruption.png"
    if arguments.dry_run:
        print(f"{arguments.count} images at {arguments.columns} times, to {path}")
        return
    x0 = data.batch(torch.arange(min(arguments.count, len(data))))
    noise = randn(x0.shape, generators(arguments.seed, range(len(x0))))
    times = torch.linspace(0, 1, arguments.columns)
    frames = torch.stack([x0, *(process.perturb(x0, t, noise) for t in times)])
    labels = ["x0"]
    for t in times:
        severity, sigma = process.schedule(t)
        labels.append(f"t {t:.2f}\n{severity:.3g}\n{sigma:.3g}")
    save_strip(frames, path, labels)
    print(f"wrote {path} (columns: time, severity in {process.corruption.unit}, sigma)")
