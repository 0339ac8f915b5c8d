"""Train a model; the same command goes on after a stop."""

import os
from pathlib import Path

from jsonargparse import Namespace

from ..training import RECIPE, claim, processes, train
from .parser import Parser
from .recipe import Recipe, add_recipe
from .schedule import write_schedule

__all__ = ["parser", "run"]


def parser() -> Parser:
    """The arguments of `softdiffusion train`."""
    parser = Parser()
    add_recipe(parser)
    parser.add_argument("--out", type=Path, required=True, help="The folder of the run.")
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    parser.add_argument("--progress", type=bool, default=True, help="Show a progress bar.")
    return parser


def run(arguments: Namespace) -> None:
    """Trains, or says what it would do; of several processes, the first writes and speaks."""
    is_first = processes().is_main_process
    reader = parser()
    recipe = Recipe(reader, arguments)
    data = recipe.data()
    selection = recipe.selection(data)
    process = recipe.process(selection)
    denoiser = recipe.denoiser(process)
    prior = recipe.prior(process, data)
    options = recipe.options()
    weights = sum(parameter.numel() for parameter in denoiser.parameters())
    if is_first:
        print(
            f"{len(data):,} images of {data.shape} from {arguments.data}; {weights:,} weights; "
            f"{arguments.images:,} images in steps of {options.batch_size}; to {arguments.out}"
        )
    if arguments.dry_run:
        return
    kind = (data, denoiser, recipe.built.objective)
    if is_first:
        # Before anything is written: the folder may belong to another training.
        claim(arguments.out, *kind, options, arguments.seed, arguments.flips)
        write_schedule(selection, process.schedule, arguments.out)
    train(
        *kind,
        arguments.images,
        out=arguments.out,
        prior=None if arguments.prior == "data" else prior,
        options=options,
        seed=arguments.seed,
        flips=arguments.flips,
        progress=arguments.progress,
    )
    if is_first:
        _write_recipe(reader, arguments)
        print(f"wrote {arguments.out / 'final'}")


def _write_recipe(reader: Parser, arguments: Namespace) -> None:
    draft = arguments.out / f"{RECIPE}.draft"
    draft.write_text(reader.dump(arguments, skip_unset=False))
    os.replace(draft, arguments.out / RECIPE)
