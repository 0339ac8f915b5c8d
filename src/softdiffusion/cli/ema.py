"""Make averages of a training's weights, of any length."""

from pathlib import Path

import yaml
from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from ..denoisers.power_ema import check_lengths
from ..files import read_yaml, write_text
from ..saving import class_names, load, save
from ..training import RECIPE
from ..training.averages import combine, fit, kept_in
from .models import recipe_of
from .parser import Parser
from .places import check_outside

__all__ = ["parser", "run"]


def parser() -> Parser:
    """The arguments of `softdiffusion ema`."""
    parser = Parser()
    parser.add_argument("--config", action="config", help="These arguments in YAML.")
    parser.add_argument("--model", type=Path, required=True, help="A run's folder.")
    parser.add_argument(
        "--length",
        type=float,
        nargs="+",
        required=True,
        help="The standard deviation of the weights in time, as a share of the training; several "
        "make several models.",
    )
    parser.add_argument(
        "--images",
        type=PositiveInt | None,
        default=None,
        help="The count of images after which the average is taken. Default: the last.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="The folder for the models, length-LENGTH each."
    )
    parser.add_argument(
        "--trust",
        nargs="+",
        type=str,
        default=[],
        help="Modules outside softdiffusion that may be loaded.",
    )
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    return parser


def run(arguments: Namespace) -> None:
    """Writes a model `length-LENGTH` for every length, and the recipe of the run beside them.

    Where the run has none, the recipe says after how many images the averages are taken.

    Raises:
        ValueError: If a length can't be made, is there twice, or the folder has other models.
    """
    check_lengths(arguments.length)
    recipe = recipe_of(arguments.model)
    check_outside(arguments.out, recipe.get("data"))
    kept = kept_in(arguments.model, arguments.images)
    images = kept[-1][1] if arguments.images is None else int(arguments.images)
    fits = {length: fit(kept, length, images) for length in arguments.length}
    denoiser, prior = load(arguments.model, trust=arguments.trust)
    names = class_names(arguments.model)
    recipe |= {"images": images}
    place = arguments.out / RECIPE
    if place.exists() and read_yaml(place) != recipe:
        raise ValueError(f"{place} is the recipe of other models; choose another --out.")
    for length, (weights, residual) in fits.items():
        folder = arguments.out / f"length-{length:g}"
        print(
            f"{folder}: after {images:,} images, from {len(kept)} averages, {residual:.2%} of the "
            "profile missing",
            flush=True,
        )
        if not arguments.dry_run:
            combine(arguments.model, denoiser, kept, weights)
            if not place.exists():  # before a model of other images could be written over one
                write_text(place, yaml.safe_dump(recipe, sort_keys=False))
            save(folder, denoiser, prior, names)
