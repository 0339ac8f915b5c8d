"""Train a model; the same command goes on after a stop."""

import traceback
from pathlib import Path

import torch
from jsonargparse import Namespace

from ..checks import check_count
from ..data import Images
from ..denoisers import Denoiser
from ..files import write_text
from ..saving import begin_from
from ..training import (
    RECIPE,
    Stopped,
    TrainingOptions,
    check,
    enough_memory,
    processes,
    train,
)
from ..training.claim import alone
from .parser import Parser
from .recipe import Recipe, add_recipe
from .schedule import write_schedule

__all__ = ["parser", "run"]

#: What a checkpoint's name can count.
_MOST = 10**12 - 1


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
    check_count("--images", arguments.images, 1, _MOST)
    is_first = processes().is_main_process
    with enough_memory("This training", "lower --size, --batch_size or --prior_modes"):
        _run(arguments, is_first)


def _run(arguments: Namespace, is_first: bool) -> None:
    reader = parser()
    recipe = Recipe(reader, arguments)
    data = recipe.data()
    selection = recipe.selection(data)
    process = recipe.process(selection)
    denoiser = recipe.denoiser(process)
    prior = recipe.prior(process, data)
    options = recipe.options()
    if is_first:
        _describe(arguments, data, denoiser, options)
    _check_network(denoiser, data)
    kind = (recipe.stream() or data, denoiser, recipe.built.objective, arguments.images)
    init = None if arguments.init is None else Path(arguments.init)
    if is_first and init is not None:
        notes = begin_from(denoiser, init, classes=data.classes)
        print("; ".join((f"begins with the weights of {init}", *notes)))
    held_out = recipe.held_out() if options.validate_every else None
    settings = {
        "out": arguments.out,
        "prior": None if arguments.prior == "data" else prior,
        "options": options,
        "seed": arguments.seed,
        "flips": arguments.flips,
        "turns": arguments.turns,
        "held_out": held_out,
        "init": init,
    }
    check(*kind, **settings)
    if arguments.dry_run:
        return
    if is_first:
        with alone(arguments.out):
            write_schedule(selection, process.schedule, arguments.out)
    try:
        train(*kind, **settings, progress=arguments.progress)
    except Stopped as stop:
        if is_first:
            raise
        raise SystemExit(128 + stop.signum) from None  # without a word
    if is_first:
        write_text(arguments.out / RECIPE, reader.dump(arguments, skip_unset=False))
        print(f"wrote {arguments.out / 'final'}")


def _describe(
    arguments: Namespace, data: Images, denoiser: Denoiser, options: TrainingOptions
) -> None:
    """Says what is trained on what, and what of it may be a surprise."""
    weights = sum(parameter.numel() for parameter in denoiser.parameters())
    classes = data.classes
    named = "" if classes is None else f" in {len(classes)} classes"
    print(
        f"{len(data):,} images of {data.shape}{named} from {arguments.data}; {weights:,} weights; "
        f"{arguments.images:,} images in steps of {options.batch_size}; to {arguments.out}"
    )
    for note in data.notes:
        print(note)
    if classes is not None and denoiser.classes > len(classes):
        print(
            f"the network has {denoiser.classes} classes, but the data {len(classes)}; it learns "
            f"no others; for as many give --backbone.classes {len(classes)}"
        )
    images = options.whole_batches(arguments.images)
    if options.ema_lengths:
        kept = len(options.ema_lengths) * -(-images // options.ema_every)
        print(
            f"{kept:,} averages will be kept, {kept * 4 * weights / 1e9:,.2f} GB; see --ema_every"
        )
    warmup, decay = options.ramps(images)
    if warmup + decay < options.warmup + options.decay:
        print(
            f"warm-up and decay ({options.warmup:,} and {options.decay:,} images) are longer than "
            f"the training, and are shortened to {warmup:,.0f} and {decay:,.0f}; for others give "
            "--warmup and --decay"
        )


@torch.no_grad()
def _check_network(denoiser: Denoiser, data: Images) -> None:
    """Raises unless the network takes images of this shape."""
    denoiser.eval()
    one = torch.zeros(1, *data.shape)
    try:
        with enough_memory(f"One image of {data.shape}", "lower --size"):
            denoiser(one, torch.ones(1))
    except (RuntimeError, TypeError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, ValueError) and _is_of_package(error):
            raise
        raise ValueError(
            f"The network {type(denoiser.backbone).__name__} does not take images of "
            f"{data.shape} ({error}); choose another --size, --channels or --backbone."
        ) from error


def _is_of_package(error: Exception) -> bool:
    """Whether this package raised it, and so named a remedy."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("softdiffusion.")
