"""Measure how close a model's samples come to real images."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt
from torch import Tensor

from .. import samplers
from ..checks import check_count
from ..data import DataOrder, Images
from ..denoisers import compiled
from ..metrics import (
    ClassEvaluator,
    Evaluator,
    FeatureExtractor,
    Report,
    Rounded,
    default_extractor,
    extractor,
)
from ..plots import save_grid
from ..priors import Prior
from ..random import generators
from ..samplers import Sampler
from ..saving import class_names
from .drawing import drawn
from .labels import captions
from .models import add_data, data_named, load_model, model_digest
from .page import write_page
from .parser import Parser
from .places import check_outside
from .rows import Rows
from .sample import add_sampling, guided
from .samplers import sampler_class
from .samples import all_rounded, all_together
from .spelling import SAMPLERS, counts, words
from .team import Team, joined

__all__ = ["parser", "run"]

#: Images in the grid of a row.
_SHOWN = 64

#: The images that are measured at most: all are in memory, in 8 bits, with their features.
_MOST = 1_000_000

#: Real images that are in memory as numbers at once, before they are rounded.
_CHUNK = 1024


def parser() -> Parser:
    """The arguments of `softdiffusion evaluate`."""
    parser = Parser()
    add_sampling(parser)
    parser.set_defaults(count=1000)
    parser.add_argument(
        "--samplers",
        type=str | list[str],
        nargs="+",
        default=["NaiveSampler", "MomentumSampler", "MultistepSampler"],
        help=f"Each is run at every number of steps: {', '.join(SAMPLERS)}.",
    )
    parser.add_argument(
        "--steps",
        type=str | int | list[str | int],
        nargs="+",
        default=[10, 30],
        help="Steps of each sampler, as 10 30.",
    )
    parser.add_argument(
        "--nu", type=float | None, default=None, help="The share of new noise of NuSampler."
    )
    parser.add_argument(
        "--shift", type=float, default=1.0, help="The shift of the times of all samplers."
    )
    add_data(parser)
    parser.add_argument(
        "--extractor",
        type=str | None,
        default=None,
        help="digits-8, fashion-mnist-32, -28 or -16, efficientnet-lite0, inception:PATH or "
        "classifier:PATH.",
    )
    parser.add_argument(
        "--reference_count",
        type=PositiveInt | None,
        default=None,
        help="So many training images, and at most as many test images, are compared with; "
        "default: all.",
    )
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    return parser


def run(arguments: Namespace) -> None:
    """Writes `report.json`, `report.md`, `distance.png` and a grid for every sampler.

    The same command goes on after a stop, and further samplers add their rows to those in `out`.
    Several processes share the images; the first one compares them.
    """
    with joined() as team:
        _run(arguments, team)


@torch.no_grad()
def _run(arguments: Namespace, team: Team) -> None:
    out: Path = arguments.out
    steps = counts("--steps", arguments.steps)
    chosen = [str(name) for name in words(arguments.samplers)]
    if not chosen or not steps:
        raise ValueError("Nothing is to be measured; name at least one of --samplers and --steps.")
    kinds = _samplers(chosen, arguments.nu, arguments.shift)
    Evaluator.check_count("Images", arguments.count)
    check_count("--count", arguments.count, 1, _MOST)
    source = data_named(arguments)
    check_outside(out, source and source.data)
    denoiser, prior = load_model(arguments)
    denoiser = guided(denoiser, arguments.guidance, arguments.model)
    train, test = (_data(arguments, split) for split in ("train", "test"))
    _check_shape(prior, train)
    labels = _drawn(_labels(train), arguments) if denoiser.classes else None
    features = (
        extractor(arguments.extractor)
        if arguments.extractor
        else default_extractor(train.name, train.shape)
    ).to(arguments.device)
    features.check_shape(train.shape)
    rows = Rows(out / "report.json", _conditions(arguments, train, test, features))
    wanted = [
        (label, number)
        for label in kinds
        for number in dict.fromkeys(steps)
        if not rows.has(label, number)
    ]
    wanted = team.each(wanted)[0]  # another evaluation may add rows beside
    if arguments.dry_run:
        named = ", ".join(f"{label} with {number} steps" for label, number in wanted)
        print(f"{arguments.count} samples each by {named or 'no sampler, all is measured'}")
        return
    if wanted and team.is_first:
        known, unknown = (
            _compared(data, arguments.reference_count, bool(denoiser.classes))
            for data in (train, test)
        )
        evaluator = Evaluator(known[0], unknown[0], features, data=train.name)
        by_class = ClassEvaluator(known, unknown, features) if denoiser.classes else None
    if arguments.compile and wanted:
        compiled(denoiser)
    names = class_names(arguments.model)
    left_out = []
    size = team.size(arguments.count, arguments.batch_size)
    for label, number in wanted:
        sampler = kinds[label](denoiser.process, denoiser, steps=number)
        batches = drawn(
            sampler,
            prior,
            arguments.seed,
            team.parts(arguments.count, size),
            lambda part: None if labels is None else labels[part.start : part.stop],
            arguments.device,
        )
        start = time.perf_counter()
        try:
            own = all_rounded((images for _, images in batches), team)
            seconds = time.perf_counter() - start
            samples = all_together(own, features, team, arguments.count, size)
            if samples is None:
                continue
            report = evaluator(*samples)
        except ValueError as error:  # another sampler's images may be fit to be measured
            left_out.append(f"{label} with {number} steps ({str(error).rstrip('.')})")
            if team.is_first:
                print(f"{left_out[-1]}: left out", file=sys.stderr, flush=True)
            continue
        images = samples[0]
        told = captions(None if labels is None else labels[:_SHOWN].tolist(), names)
        with rows.alone():
            save_grid(images[:_SHOWN].floats(), out / f"{label}-{number}.png", captions=told)
        row = _row(label, number, sampler.nfe, seconds, report)
        if by_class and labels is not None:
            row["classes"] = {
                name: {key: asdict(value) for key, value in values.items()}
                for name, values in by_class(images, labels).items()
            }
        rows.add(row)
        frechet = report.values["frechet"]
        print(f"{label:<24} {sampler.nfe:>4} calls  {frechet}  ({seconds:.1f} s)", flush=True)
    if not team.is_first:
        return
    title = f"{arguments.count} samples of {arguments.model.name}, seed {arguments.seed}"
    with rows.alone():
        if list(rows):
            write_page(list(rows), title, out, names, left_out)
            print(f"wrote {out / 'report.md'}")
    if left_out:
        raise ValueError(f"{len(left_out)} of {len(wanted)} rows are left out: {left_out[0]}.")


def _conditions(
    arguments: Namespace, train: Images, test: Images, features: FeatureExtractor
) -> dict[str, Any]:
    """What the values depend on beside the sampler."""
    conditions = {
        "model": model_digest(arguments.model),
        "count": arguments.count,
        "seed": arguments.seed,
        "guidance": arguments.guidance,
        "data": [train.digest(), test.digest()],
        "extractor": features.sha256,
    }
    if arguments.reference_count is not None:
        conditions["reference_count"] = arguments.reference_count
    return conditions


def _compared(data: Images, count: int | None, labelled: bool) -> Any:
    """The images to compare with, at most so many, drawn at random; with classes, those too."""
    chosen = torch.arange(len(data))
    if count is not None:
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
        chosen = order[:count].sort().values
    images = Rounded.of(data.batch(part) for part in chosen.split(_CHUNK))
    return images, (_labels(data)[chosen] if labelled else None)


def _data(arguments: Namespace, split: Literal["train", "test"]) -> Images:
    """The data that were named, or else those of the recipe."""
    source = data_named(arguments)
    if source is None:
        raise ValueError("No recipe lies beside the model, so name its data with --data.")
    return source.open(split)


def _labels(data: Images) -> Tensor:
    if data.labels is None:
        raise ValueError(
            f"The model was told classes, but {data.name} has none; choose the data that it "
            "learned with --data."
        )
    return data.labels


def _drawn(labels: Tensor, arguments: Namespace) -> Tensor:
    """The classes to draw, as often as the training images have them."""
    return labels[DataOrder(len(labels), arguments.seed).indices(0, arguments.count)]


def _check_shape(prior: Prior, data: Images) -> None:
    shape = tuple(prior.sample(1, generators(0, range(1))).shape[1:])
    if shape != data.shape:
        raise ValueError(
            f"The model draws images of shape {shape}, but those of {data.name} have the shape "
            f"{data.shape}; choose the data that it learned with --data, --size and --channels."
        )


def _samplers(
    names: list[str], nu: float | None, shift: float
) -> dict[str, Callable[..., Sampler]]:
    """The samplers by the labels that they have in the report."""
    found: dict[str, Callable[..., Sampler]] = {}
    suffix = "" if shift == 1 else f"-shift-{shift:g}"
    for name in names:
        kind = sampler_class(name)
        name = kind.__name__
        if kind is not samplers.NuSampler:
            found[f"{name}{suffix}"] = partial(kind, shift=shift)
        elif nu is None:
            raise ValueError("NuSampler needs its share of new noise; give --nu, in [0, 1].")
        else:
            found[f"{name}-{nu:g}{suffix}"] = partial(kind, nu=nu, shift=shift)
    return found


def _row(label: str, steps: int, nfe: int, seconds: float, report: Report) -> dict[str, Any]:
    frechet = report.values["frechet"]
    return {
        "sampler": label,
        "steps": steps,
        "nfe": nfe,
        "seconds": seconds,
        "distance": frechet.value,
        "error": frechet.error,
        "floor": frechet.floor,
        "report": report.to_dict(),
    }
