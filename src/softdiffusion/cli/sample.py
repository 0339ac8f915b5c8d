"""Draw images from a trained model."""

import os
import re
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch
from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt
from torch import Tensor

from ..checks import check_count, check_labels
from ..denoisers import BaseDenoiser, GuidedDenoiser, compiled
from ..plots import numbered, save_animation, save_grid, save_images
from ..random import generators
from ..saving import class_names
from .drawing import drawn
from .labels import captions, numbers
from .models import add_model, load_model, recipe_of
from .parser import Parser
from .places import check_outside, check_room
from .samplers import add_sampler, set_steps
from .team import Team, joined

__all__ = ["add_sampling", "parser", "run"]

#: Images in the grid and in the animation.
_SHOWN = 64

#: The images that are drawn at most: of each the index, of 32 bits, chooses the noise.
_MOST = 2**32

#: The name of an image without its suffix; other digits than those of ASCII are none.
_NUMBER = re.compile("[0-9]+")


def add_sampling(parser: Parser) -> None:
    """Adds the arguments of commands that draw new images."""
    add_model(parser)
    parser.add_argument("--count", type=PositiveInt, default=64, help="How many images are drawn.")
    parser.add_argument(
        "--guidance",
        type=float | None,
        default=None,
        help="The scale of classifier-free guidance; 1 is the plain prediction for the class.",
    )
    parser.add_argument(
        "--compile",
        type=bool,
        default=False,
        help="Compile the network first, which takes a minute and pays for many images.",
    )


def parser() -> Parser:
    """The arguments of `softdiffusion sample`."""
    parser = Parser()
    add_sampling(parser)
    add_sampler(
        parser,
        {
            "class_path": "softdiffusion.MultistepSampler",
            "init_args": {"steps": 30, "progress": True},
        },
    )
    parser.add_argument(
        "--labels",
        type=str | int | list[str | int],
        nargs="+",
        default=None,
        help="Classes to draw, by name or number, repeated in turn over the images; -1 leaves the "
        "class open.",
    )
    parser.add_argument("--animation", type=bool, default=False, help="Write trajectory.gif too.")
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    return parser


def guided(denoiser: BaseDenoiser, scale: float | None, model: Path) -> BaseDenoiser:
    """The denoiser of a model folder under guidance, if a scale is given."""
    if scale is None:
        return denoiser
    if scale != 1 and recipe_of(model).get("label_dropout") == 0:
        raise ValueError(
            f"The model {model} was trained with label_dropout 0, so it never learned to do "
            "without a class, which guidance needs; train it with --label_dropout 0.1, or use "
            "--guidance 1."
        )
    return GuidedDenoiser(denoiser, scale)


def in_turn(labels: list[int] | None, part: range) -> Tensor | None:
    """The labels of the images of a batch, where all images have them in turn."""
    return None if labels is None else torch.tensor([labels[k % len(labels)] for k in part])


def _check_alone(folder: Path, count: int) -> None:
    """Refuses to put the images among those of another number of them."""
    digits = len(numbered(count, [0])[0])
    present = others = 0
    with os.scandir(folder) if folder.is_dir() else nullcontext(()) as entries:
        for name in (entry.name for entry in entries if entry.name.endswith(".png")):
            stem = name.removesuffix(".png")
            present += 1
            others += not (len(stem) == digits and _NUMBER.fullmatch(stem) and int(stem) < count)
    if others:
        raise ValueError(
            f"{folder} holds {present} images, of which {others} would stay among the {count} new "
            "ones; choose another --out, or delete the folder."
        )


def run(arguments: Namespace) -> None:
    """Writes `grid.png`, one PNG an image in `images/` and, on demand, `trajectory.gif`.

    Several processes share the images; the first of them writes what there is once.
    """
    with joined() as team:
        _run(arguments, team)


@torch.no_grad()
def _run(arguments: Namespace, team: Team) -> None:
    from tqdm import tqdm

    count: int = arguments.count
    check_count("--count", count, 1, _MOST)
    check_outside(arguments.out, recipe_of(arguments.model).get("data"))
    denoiser, prior = load_model(arguments)
    denoiser = guided(denoiser, arguments.guidance, arguments.model)
    if arguments.guidance is not None and arguments.labels is None:
        raise ValueError(
            "--guidance goes towards classes; name them with --labels, or leave --guidance out."
        )
    names = class_names(arguments.model)
    labels = numbers(arguments.labels, names, denoiser.classes)
    if labels is not None:
        check_labels(torch.tensor(labels), denoiser.classes, len(labels))
    reader = parser()
    set_steps(reader, arguments)
    sampler = reader.instantiate(arguments).sampler(denoiser.process, denoiser)
    print(
        f"{count} images by {type(sampler).__name__} with {sampler.nfe} network calls each",
        flush=True,
    )
    if arguments.dry_run:
        return
    if arguments.compile:
        compiled(denoiser)
    folder = arguments.out / "images"
    if team.is_first:
        _check_place(arguments, prior.sample(1, generators(0, [0])).numel())
    team.each(None)  # before another one's images are among those that are looked at
    start = time.perf_counter()
    size = team.size(count, arguments.batch_size)
    first = min(count, _SHOWN)
    told = partial(in_turn, labels)
    shows = sampler.progress and team.is_first
    sampler.progress = shows and count <= size  # of several batches the images are counted
    shown = []
    parts = team.parts(count, size)
    with tqdm(total=count, desc="drawing", unit="image", disable=not shows or count <= size) as bar:
        for part, images in drawn(sampler, prior, arguments.seed, parts, told, arguments.device):
            save_images(images, folder, numbered(count, part))
            if part.start < first:
                shown.append(images[: first - part.start])
            bar.update(min(team.count * len(part), count - bar.n))
    grid = team.gathered(shown, first, size)
    team.each(None)
    if grid is None:
        return
    seconds = time.perf_counter() - start
    classes = told(range(first))
    named = captions(None if classes is None else classes.tolist(), names)
    save_grid(grid, arguments.out / "grid.png", captions=named)
    if arguments.animation:
        noise = generators(arguments.seed, range(first))
        x1 = prior.sample(first, generator=noise, labels=classes).to(arguments.device)
        frames = sampler.trajectory(x1, generator=noise, labels=classes).cpu()
        save_animation(frames, arguments.out / "trajectory.gif")
    print(f"wrote {arguments.out / 'grid.png'} and images/ in {seconds:.1f} s")


def _check_place(arguments: Namespace, size: int) -> None:
    """Raises unless the images, each of so many bytes, may be written, and have room."""
    _check_alone(arguments.out / "images", arguments.count)
    if not arguments.animation and (arguments.out / "trajectory.gif").exists():
        raise ValueError(
            f"{arguments.out} holds trajectory.gif, which would stay beside the new images; choose "
            "another --out, give --animation true, or delete the file."
        )
    check_room(arguments.out, arguments.count + 2, size)
