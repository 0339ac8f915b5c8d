"""Finding the model and the recipe that a command is pointed at."""

import os
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt

from ..data import Source
from ..denoisers import BaseDenoiser
from ..files import check_inside, read_yaml
from ..priors import DataPrior, Prior
from ..quoting import shortened
from ..saving import load, model_digest, model_folder
from ..training import RECIPE
from .parser import Parser
from .recipe import Recipe

__all__ = [
    "add_data",
    "add_model",
    "data_named",
    "load_model",
    "model_digest",
    "recipe_of",
]

#: What a recipe says of its data, and of which kinds it is.
_KINDS: dict[str, tuple[type, ...]] = {
    "data": (str,),
    "size": (int, type(None)),
    "channels": (int, type(None)),
    "crop": (int, type(None)),
    "crop_scale": (int, float),
}


def add_model(parser: Parser) -> None:
    """Adds the arguments of commands that put a model to work."""
    parser.add_argument("--config", action="config", help="These arguments in YAML.")
    parser.add_argument("--model", type=Path, required=True, help="A run's folder, or a model's.")
    parser.add_argument("--out", type=Path, required=True, help="The folder for what is made.")
    parser.add_argument("--seed", type=NonNegativeInt, default=0)
    parser.add_argument(
        "--batch_size", type=PositiveInt, default=256, help="Images drawn at a time."
    )
    parser.add_argument(
        "--device", type=str, default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument(
        "--trust",
        nargs="+",
        type=str,
        default=[],
        help="Modules outside softdiffusion that may be loaded.",
    )
    parser.add_argument(
        "--cache",
        type=str | None,
        default=None,
        help="The folder that the decoded pictures of a folder are kept in; default: the user's "
        "cache folder, or memory for few.",
    )


def add_data(parser: Parser) -> None:
    """Adds the arguments that name data in the place of those that the model learned."""
    parser.add_argument("--data", type=str | None, default=None, help="Default: the recipe's.")
    parser.add_argument(
        "--size", type=PositiveInt | None, default=None, help="Default: the recipe's."
    )
    parser.add_argument("--channels", type=int | None, default=None, help="Default: the recipe's.")
    parser.add_argument(
        "--crop", type=PositiveInt | None, default=None, help="Default: the recipe's."
    )
    parser.add_argument(
        "--crop_scale", type=float | None, default=None, help="Default: the recipe's."
    )


def data_named(arguments: Namespace) -> Source | None:
    """The data that were named, or else those of the recipe; None if there are neither."""
    recipe = _known(recipe_of(arguments.model))
    own = {key: arguments[key] for key in (*_KINDS, "cache") if arguments[key] is not None}
    found = recipe | own
    return None if found.get("data") is None else Source.of(found)


def load_model(arguments: Namespace) -> tuple[BaseDenoiser, Prior]:
    """Loads the model that the arguments of `add_model` name.

    A run with `--prior data` draws its start from the training images, which its recipe names.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the model was saved without a start for the samplers, or the device is
            unknown or missing.
    """
    path: Path = arguments.model
    denoiser, prior = load(path, arguments.device, arguments.trust)
    recipe = recipe_of(path)
    if prior is None and recipe.get("prior") == "data":
        if missing := {"data", "size", "channels"} - recipe.keys():
            raise ValueError(
                f"The recipe of {path} lacks {' and '.join(sorted(missing))}, so the training "
                "images that the start is drawn from are unknown; restore it from a copy."
            )
        data = Source.of(_known(recipe) | {"cache": arguments.cache}).open()
        prior = DataPrior(denoiser.process, Recipe.measured(data).tensor())
        print(f"the start is drawn from the training images, {recipe['data']}")
    if prior is None:
        raise ValueError(
            f"The model {model_folder(path)} was saved without a prior, so there is no start to "
            "sample from; fit one with sd.GaussianPrior.fit and save the model again."
        )
    return denoiser, prior


def recipe_of(path: Path) -> dict[str, Any]:
    """The recipe of a run, or the one beside a model; empty if there is none.

    Raises:
        ValueError: If it is damaged, or a link that leads out of its folder.
    """
    folder = Path(os.path.realpath(path))
    run = folder.parent.parent if folder.name == "model" else folder.parent
    for place in (folder, run):
        file = place / RECIPE
        if file.is_symlink() or file.exists():
            check_inside(file, place)
            content = read_yaml(file)
            if not isinstance(content, dict):
                raise ValueError(f"{file} holds no recipe; restore it from a copy.")
            _check_data(file, content)
            return content
    return {}


def _known(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a recipe says of its data, but for the cache: a stranger's would be written to."""
    return {key: recipe[key] for key in _KINDS if key in recipe}


def _check_data(file: Path, recipe: dict[str, Any]) -> None:
    """Raises unless what a recipe says of its data is of the right kind; they may be opened."""
    for key, kind in _KINDS.items():
        if key in recipe and type(recipe[key]) not in kind:
            raise ValueError(
                f"{file} is damaged (its {key} is {shortened(recipe[key])}); restore it from a "
                "copy."
            )
