"""Measure how close a model's samples come to real images."""

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
from ..data import DataOrder, Images, open
from ..metrics import ClassEvaluator, Evaluator, Report, Value, default_extractor, extractor
from ..plots import plot_distances, save_grid
from ..priors import Prior
from ..random import generators
from ..samplers import Sampler
from .models import add_data, data_named, load_model, model_digest
from .parser import Parser
from .rows import Rows
from .sample import add_sampling, guided

__all__ = ["parser", "run"]


def parser() -> Parser:
    """The arguments of `softdiffusion evaluate`."""
    parser = Parser()
    add_sampling(parser)
    parser.set_defaults(count=1000)
    parser.add_argument(
        "--samplers",
        type=list[str],
        default=["NaiveSampler", "MomentumSampler", "MultistepSampler"],
        help="Names of samplers; each is run at every number of calls.",
    )
    parser.add_argument(
        "--steps", type=list[PositiveInt], default=[10, 30], help="Steps of each sampler."
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
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    return parser


@torch.no_grad()
def run(arguments: Namespace) -> None:
    """Writes `report.json`, `report.md`, `distance.png` and a grid for every sampler.

    The same command goes on after a stop, and further samplers add their rows to those in `out`.
    """
    out: Path = arguments.out
    if not arguments.samplers or not arguments.steps:
        raise ValueError("Nothing is to be measured; name at least one of --samplers and --steps.")
    kinds = _samplers(arguments.samplers, arguments.nu, arguments.shift)
    denoiser, prior = load_model(arguments.model, arguments.trust, arguments.device)
    denoiser = guided(denoiser, arguments.guidance, arguments.model)
    train, test = (_data(arguments, split) for split in ("train", "test"))
    _check_shape(prior, train)
    features = (
        extractor(arguments.extractor)
        if arguments.extractor
        else default_extractor(train.name, train.shape)
    ).to(arguments.device)
    conditions = {
        "model": model_digest(arguments.model),
        "count": arguments.count,
        "seed": arguments.seed,
        "guidance": arguments.guidance,
        "data": [train.digest(), test.digest()],
        "extractor": features.sha256,
    }
    rows = Rows(out / "report.json", conditions)
    wanted = [
        (label, steps)
        for label in kinds
        for steps in dict.fromkeys(arguments.steps)
        if not rows.has(label, steps)
    ]
    if arguments.dry_run:
        named = ", ".join(f"{label} with {steps} steps" for label, steps in wanted)
        print(f"{arguments.count} samples each by {named or 'no sampler, all is measured'}")
        return
    if wanted:
        evaluator = Evaluator(train.tensor(), test.tensor(), features, data=train.name)
        labels = by_class = None
        if denoiser.classes:
            labels = _drawn(_labels(train), arguments)
            known, unknown = ((data.tensor(), _labels(data)) for data in (train, test))
            by_class = ClassEvaluator(known, unknown, features)
    for label, steps in wanted:
        sampler = kinds[label](denoiser.process, denoiser, steps=steps)
        noise = generators(arguments.seed, range(arguments.count))
        start = time.perf_counter()
        x1 = prior.sample(arguments.count, noise, labels=labels).to(arguments.device)
        images = sampler(x1, noise, batch_size=arguments.batch_size, labels=labels)
        images = images.cpu().clamp(-1, 1)
        seconds = time.perf_counter() - start
        report = evaluator(images)
        save_grid(images[:64], out / f"{label}-{steps}.png")
        row = _row(label, steps, sampler.nfe, seconds, report)
        if by_class and labels is not None:
            row["classes"] = {
                name: {key: asdict(value) for key, value in values.items()}
                for name, values in by_class(images, labels).items()
            }
        rows.add(row)
        frechet = report.values["frechet"]
        print(f"{label:<24} {sampler.nfe:>4} calls  {frechet}  ({seconds:.1f} s)", flush=True)
    title = f"{arguments.count} samples of {arguments.model.name}, seed {arguments.seed}"
    _write(list(rows), title, out)
    print(f"wrote {out / 'report.md'}")


def _data(arguments: Namespace, split: Literal["train", "test"]) -> Images:
    """The data that were named, or else those of the recipe."""
    name, size, channels = data_named(arguments)
    if name is None:
        raise ValueError("No recipe lies beside the model, so name its data with --data.")
    return open(name, split=split, size=size, channels=channels)


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
    known = [name for name in samplers.__all__ if name.endswith("Sampler") and name != "Sampler"]
    found: dict[str, Callable[..., Sampler]] = {}
    suffix = "" if shift == 1 else f"-shift-{shift:g}"
    for name in names:
        if name not in known:
            raise ValueError(f"Unknown sampler {name!r}; use one of {', '.join(known)}.")
        kind = getattr(samplers, name)
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


def _write(rows: list[dict[str, Any]], title: str, out: Path) -> None:
    """Writes the summary of all rows, their reports and the plot."""
    reports = [Report.from_dict(row["report"]) for row in rows]
    sections = [
        f"## {row['sampler']}, {row['nfe']} calls\n\n{report.to_markdown()}\n{_by_class(row)}"
        for row, report in zip(rows, reports, strict=True)
    ]
    frechet = reports[0].values["frechet"]
    (out / "report.md").write_text("\n".join([f"# {title}\n", _summary(rows, frechet), *sections]))
    label = f"Fréchet distance, N = {frechet.n}\n{frechet.extractor} {frechet.hash}"
    plot_distances(rows, out / "distance.png", floor=frechet.floor, label=label)


def _by_class(row: dict[str, Any]) -> str:
    """The table of a conditional model's classes; empty for other models."""
    classes = row.get("classes", {})
    if not classes:
        return ""
    names = list(next(iter(classes.values())))
    head = ["class", *(f"{name} (floor)" for name in names), "N (floor's)"]
    lines = ["", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for label, values in classes.items():
        cells = [
            f"{v['value']:.3g} ± {v['error']:.2g} ({v['floor']:.3g} ± {v['floor_error']:.2g})"
            for v in values.values()
        ]
        first = values[names[0]]
        lines.append(f"| {label} | {' | '.join(cells)} | {first['n']} ({first['floor_n']}) |")
    return "\n".join(lines) + "\n"


def _summary(rows: list[dict[str, Any]], frechet: Value) -> str:
    lines = ["| sampler | calls | Fréchet distance | floor | seconds |", "|---|---|---|---|---|"]
    lines += [
        f"| {r['sampler']} | {r['nfe']} | {r['distance']:.2f} ± {r['error']:.2f} "
        f"| {r['floor']:.2f} | {r['seconds']:.0f} |"
        for r in rows
    ]
    lines += [
        "",
        f"N = {frechet.n} samples, and {frechet.floor_n} real test images for the floor, against "
        f"{frechet.reference_n} training images; extractor {frechet.extractor} {frechet.hash}.",
    ]
    return "\n".join(lines) + "\n"
