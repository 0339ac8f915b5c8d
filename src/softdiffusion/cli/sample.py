"""Draw images from a trained model."""

import time
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
from .labels import captions, numbers
from .models import add_model, load_model, recipe_of
from .parser import Parser
from .places import MOST, check_outside, check_room
from .samplers import add_sampler, set_steps

__all__ = ["add_sampling", "parser", "run"]

#: Images in the grid and in the animation.
_SHOWN = 64


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


def repeated(labels: list[int] | None, count: int, classes: int) -> Tensor | None:
    """The labels in turn, one for each of `count` images, checked against the classes."""
    if labels is None:
        return None
    return check_labels(
        torch.tensor(labels).repeat(-(-count // len(labels)))[:count], classes, count
    )


def _check_alone(folder: Path, count: int) -> None:
    """Refuses to put the images among those of another number of them."""
    present = {path.stem for path in folder.glob("*.png")}
    others = present.difference(numbered(count))
    if others:
        raise ValueError(
            f"{folder} holds {len(present)} images, of which {len(others)} would stay among the "
            f"{count} new ones; choose another --out, or delete the folder."
        )


@torch.no_grad()
def run(arguments: Namespace) -> None:
    """Writes `grid.png`, one PNG an image in `images/` and, on demand, `trajectory.gif`."""
    check_count("--count", arguments.count, 1, MOST)
    check_outside(arguments.out, recipe_of(arguments.model).get("data"))
    denoiser, prior = load_model(arguments.model, arguments.trust, arguments.device)
    denoiser = guided(denoiser, arguments.guidance, arguments.model)
    if arguments.guidance is not None and arguments.labels is None:
        raise ValueError(
            "--guidance goes towards classes; name them with --labels, or leave --guidance out."
        )
    names = class_names(arguments.model)
    labels = repeated(
        numbers(arguments.labels, names, denoiser.classes), arguments.count, denoiser.classes
    )
    reader = parser()
    set_steps(reader, arguments)
    sampler = reader.instantiate(arguments).sampler(denoiser.process, denoiser)
    print(
        f"{arguments.count} images by {type(sampler).__name__} with {sampler.nfe} network calls "
        "each",
        flush=True,
    )
    if arguments.dry_run:
        return
    folder = arguments.out / "images"
    _check_alone(folder, arguments.count)
    if not arguments.animation and (arguments.out / "trajectory.gif").exists():
        raise ValueError(
            f"{arguments.out} holds trajectory.gif, which would stay beside the new images; choose "
            "another --out, give --animation true, or delete the file."
        )
    if arguments.compile:
        compiled(denoiser)
    start = time.perf_counter()
    noise = generators(arguments.seed, range(arguments.count))
    x1 = prior.sample(arguments.count, generator=noise, labels=labels)
    check_room(arguments.out, arguments.count + 2, x1[0].numel())
    files = numbered(arguments.count)
    shown = []
    for part in torch.arange(arguments.count).split(arguments.batch_size):
        images = sampler(
            x1[part].to(arguments.device),
            [noise[index] for index in part],
            labels=None if labels is None else labels[part],
        )
        images = images.cpu().clamp(-1, 1)
        save_images(images, folder, [files[index] for index in part])
        shown.append(images[: max(0, _SHOWN - int(part[0]))])
    seconds = time.perf_counter() - start
    told = captions(None if labels is None else labels[:_SHOWN].tolist(), names)
    save_grid(torch.cat(shown), arguments.out / "grid.png", captions=told)
    if arguments.animation:
        noise = generators(arguments.seed, range(min(arguments.count, _SHOWN)))
        first = None if labels is None else labels[: len(noise)]
        x1 = prior.sample(len(noise), generator=noise, labels=first).to(arguments.device)
        frames = sampler.trajectory(x1, generator=noise, labels=first).cpu()
        save_animation(frames, arguments.out / "trajectory.gif")
    print(f"wrote {arguments.out / 'grid.png'} and images/ in {seconds:.1f} s")
