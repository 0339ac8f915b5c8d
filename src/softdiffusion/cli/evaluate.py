"""Measure how close a model's samples come to real images."""

import json
import time
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace

from ..data import open
from ..metrics import Evaluator, Report, default_extractor, extractor
from ..plots import plot_distances, save_grid
from ..random import generators
from .models import load_model, recipe_of
from .parser import Parser
from .sample import add_sampling

__all__ = ["parser", "run"]


def parser() -> Parser:
    """The arguments of `softdiffusion evaluate`."""
    parser = Parser()
    add_sampling(parser)
    parser.add_argument(
        "--samplers",
        type=list[str],
        default=["NaiveSampler", "MomentumSampler", "MultistepSampler"],
        help="Names of samplers; each is run at every number of calls.",
    )
    parser.add_argument("--steps", type=list[int], default=[10, 30], help="Steps of each sampler.")
    parser.add_argument("--data", type=str | None, default=None, help="Default: the recipe's.")
    parser.add_argument("--size", type=int | None, default=None, help="Default: the recipe's.")
    parser.add_argument("--channels", type=int | None, default=None, help="Default: the recipe's.")
    parser.add_argument(
        "--extractor",
        type=str | None,
        default=None,
        help="digits-8, fashion-mnist-28, fashion-mnist-16, efficientnet-lite0 or inception:PATH.",
    )
    return parser


@torch.no_grad()
def run(arguments: Namespace) -> None:
    """Writes `report.json`, `report.md`, `distance.png` and a grid for every sampler."""
    out: Path = arguments.out
    recipe = recipe_of(arguments.model)
    name, size, channels = (
        getattr(arguments, key) if getattr(arguments, key) is not None else recipe.get(key)
        for key in ("data", "size", "channels")
    )
    if name is None:
        raise ValueError("No recipe lies beside the model, so name its data with --data.")
    denoiser, prior = load_model(arguments.model, arguments.trust)
    denoiser.to(arguments.device)
    samplers = {sampler: _sampler(sampler) for sampler in arguments.samplers}

    train = open(name, split="train", size=size, channels=channels)
    test = open(name, split="test", size=size, channels=channels)
    features = (
        extractor(arguments.extractor)
        if arguments.extractor
        else default_extractor(train.name, train.shape)
    )
    evaluator = Evaluator(train.tensor(), test.tensor(), features, data=str(name))

    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    sections: list[str] = []
    for label, sampler_type in samplers.items():
        for steps in arguments.steps:
            sampler = sampler_type(denoiser.process, denoiser, steps=steps)
            noise = generators(arguments.seed, range(arguments.count))
            start = time.perf_counter()
            x1 = prior.sample(arguments.count, generator=noise).to(arguments.device)
            images = sampler(x1, noise, batch_size=arguments.batch_size).cpu().clamp(-1, 1)
            seconds = time.perf_counter() - start
            report = evaluator(images)
            rows.append(_row(label, steps, sampler.nfe, seconds, report))
            sections.append(f"## {label}, {sampler.nfe} calls\n\n{report.to_markdown()}\n")
            save_grid(images[:64], out / f"{label}-{steps}.png")
            frechet = report.values["frechet"]
            print(f"{label:<24} {sampler.nfe:>4} calls  {frechet}  ({seconds:.1f} s)", flush=True)
    (out / "report.json").write_text(json.dumps(rows, indent=2))
    title = f"# {arguments.count} samples of {arguments.model.name}, seed {arguments.seed}\n"
    (out / "report.md").write_text("\n".join([title, _summary(rows), *sections]))
    plot_distances(rows, out / "distance.png", floor=rows[0]["floor"])
    print(f"wrote {out / 'report.md'}")


def _sampler(name: str) -> Any:
    from .. import samplers

    found = getattr(samplers, name, None)
    if name in ("Sampler", "NuSampler") or not name.endswith("Sampler") or found is None:
        known = [
            n
            for n in samplers.__all__
            if n.endswith("Sampler") and n not in ("Sampler", "NuSampler")
        ]
        raise ValueError(f"Unknown sampler {name!r}; use one of {', '.join(known)}.")
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


def _summary(rows: list[dict[str, Any]]) -> str:
    lines = ["| sampler | calls | Fréchet distance | floor | seconds |", "|---|---|---|---|---|"]
    lines += [
        f"| {r['sampler']} | {r['nfe']} | {r['distance']:.2f} ± {r['error']:.2f} "
        f"| {r['floor']:.2f} | {r['seconds']:.0f} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"
