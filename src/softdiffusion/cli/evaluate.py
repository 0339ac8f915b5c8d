"""Measure how close a model's samples come to real images."""

import math
import sys
import time
from collections.abc import Callable, Sequence
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
from ..files import write_text
from ..metrics import ClassEvaluator, Evaluator, Report, default_extractor, extractor
from ..plots import plot_distances, save_grid
from ..priors import Prior
from ..random import generators
from ..samplers import Sampler
from ..saving import class_names
from .labels import captions
from .models import add_data, data_named, load_model, model_digest
from .parser import Parser
from .places import MOST, check_outside
from .rows import Rows
from .sample import add_sampling, guided
from .samplers import sampler_class
from .spelling import SAMPLERS, counts, words

__all__ = ["parser", "run"]

#: Images in the grid of a row.
_SHOWN = 64


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


@torch.no_grad()
def run(arguments: Namespace) -> None:
    """Writes `report.json`, `report.md`, `distance.png` and a grid for every sampler.

    The same command goes on after a stop, and further samplers add their rows to those in `out`.
    """
    out: Path = arguments.out
    steps = counts("--steps", arguments.steps)
    chosen = [str(name) for name in words(arguments.samplers)]
    if not chosen or not steps:
        raise ValueError("Nothing is to be measured; name at least one of --samplers and --steps.")
    kinds = _samplers(chosen, arguments.nu, arguments.shift)
    Evaluator.check_count("Images", arguments.count)
    check_count("--count", arguments.count, 1, MOST)
    source = data_named(arguments)
    check_outside(out, source and source.data)
    denoiser, prior = load_model(arguments.model, arguments.trust, arguments.device)
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
    rows = Rows(out / "report.json", conditions)
    wanted = [
        (label, number)
        for label in kinds
        for number in dict.fromkeys(steps)
        if not rows.has(label, number)
    ]
    if arguments.dry_run:
        named = ", ".join(f"{label} with {number} steps" for label, number in wanted)
        print(f"{arguments.count} samples each by {named or 'no sampler, all is measured'}")
        return
    if wanted:
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
    for label, number in wanted:
        sampler = kinds[label](denoiser.process, denoiser, steps=number)
        noise = generators(arguments.seed, range(arguments.count))
        start = time.perf_counter()
        x1 = prior.sample(arguments.count, noise, labels=labels).to(arguments.device)
        images = sampler(x1, noise, batch_size=arguments.batch_size, labels=labels)
        images = images.cpu().clamp(-1, 1)
        seconds = time.perf_counter() - start
        try:
            report = evaluator(images)
        except ValueError as error:  # another sampler's images may be fit to be measured
            left_out.append(f"{label} with {number} steps ({str(error).rstrip('.')})")
            print(f"{left_out[-1]}: left out", file=sys.stderr, flush=True)
            continue
        told = captions(None if labels is None else labels[:_SHOWN].tolist(), names)
        with rows.alone():
            save_grid(images[:_SHOWN], out / f"{label}-{number}.png", captions=told)
        row = _row(label, number, sampler.nfe, seconds, report)
        if by_class and labels is not None:
            row["classes"] = {
                name: {key: asdict(value) for key, value in values.items()}
                for name, values in by_class(images, labels).items()
            }
        rows.add(row)
        frechet = report.values["frechet"]
        print(f"{label:<24} {sampler.nfe:>4} calls  {frechet}  ({seconds:.1f} s)", flush=True)
    title = f"{arguments.count} samples of {arguments.model.name}, seed {arguments.seed}"
    with rows.alone():
        if list(rows):
            _write(list(rows), title, out, names, left_out)
            print(f"wrote {out / 'report.md'}")
    if left_out:
        raise ValueError(f"{len(left_out)} of {len(wanted)} rows are left out: {left_out[0]}.")


def _compared(data: Images, count: int | None, labelled: bool) -> Any:
    """The images to compare with, at most so many, drawn at random; with classes, those too."""
    chosen = torch.arange(len(data))
    if count is not None:
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
        chosen = order[:count].sort().values
    return data.batch(chosen), (_labels(data)[chosen] if labelled else None)


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


def _write(
    rows: list[dict[str, Any]],
    title: str,
    out: Path,
    names: Sequence[str] | None,
    left_out: list[str],
) -> None:
    """Writes the summary of all rows, their reports and the plot."""
    reports = [Report.from_dict(row["report"]) for row in rows]
    sections = [
        f"## {row['sampler']}, {row['nfe']} calls\n\n{report.to_markdown()}\n"
        f"{_by_class(row, names)}"
        for row, report in zip(rows, reports, strict=True)
    ]
    frechet = reports[0].values["frechet"]
    missing = [f"Left out: {reason}.\n" for reason in left_out]
    parts = [f"# {title}\n", _summary(rows, reports), *missing, *sections]
    write_text(out / "report.md", "\n".join(parts))
    label = f"Fréchet distance, N = {frechet.n}\n{frechet.extractor} {frechet.hash}"
    drawn = [row for row in rows if (row["distance"] or 0) > 0 and row["error"] is not None]
    if drawn:  # an axis that is logarithmic has no place for others
        plot_distances(drawn, out / "distance.png", floor=frechet.floor, label=label)


def _by_class(row: dict[str, Any], known: Sequence[str] | None) -> str:
    """The table of a conditional model's classes; empty for other models."""
    classes = row.get("classes", {})
    if not classes:
        return ""
    names = list(next(iter(classes.values())))
    head = ["class", *(f"{name} (floor)" for name in names), "N (floor's)"]
    lines = ["", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for label, values in classes.items():
        cells = [
            "{value:.3g} ± {error:.2g} ({floor:.3g} ± {floor_error:.2g})".format(
                **{key: math.nan if v[key] is None else v[key] for key in v}
            )
            for v in values.values()
        ]
        first = values[names[0]]
        name = known[int(label)] if known else label
        lines.append(f"| {name} | {' | '.join(cells)} | {first['n']} ({first['floor_n']}) |")
    return "\n".join(lines) + "\n"


def _summary(rows: list[dict[str, Any]], reports: list[Report]) -> str:
    lines = ["| sampler | calls | Fréchet distance | floor | seconds |", "|---|---|---|---|---|"]
    for row, report in zip(rows, reports, strict=True):
        frechet = report.values["frechet"]
        lines.append(
            f"| {row['sampler']} | {row['nfe']} | {frechet.value:.2f} ± {frechet.error:.2f} "
            f"| {frechet.floor:.2f} | {row['seconds']:.0f} |"
        )
    lines += [
        "",
        f"N = {frechet.n} samples, and {frechet.floor_n} real test images for the floor, against "
        f"{frechet.reference_n} training images; extractor {frechet.extractor} {frechet.hash}.",
    ]
    return "\n".join(lines) + "\n"
