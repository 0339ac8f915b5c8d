"""Restoration of Fashion-MNIST test images by samplers and by classical methods.

    python studies/restoration/study.py [--model FOLDER] [--count N] [--out FOLDER]

Every method of every task adds a row to rows.jsonl and its images to a cache; the same command
goes on after a stop. At the end it draws the pictures and writes the table into README.md.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.operators import LinearOperator
from softdiffusion.restoration import one_step, pseudo_inverse, start_time, wiener

HERE = Path(__file__).parent
MODEL = HERE.parent / "fashion-mnist" / "recommended"
SHOWN = 8
SAMPLES = 4

SAMPLERS = {
    "naive": sd.NaiveSampler,
    "momentum": sd.MomentumSampler,
    "multistep": sd.MultistepSampler,
    "bridge": sd.BridgeSampler,
}


@dataclass(frozen=True)
class Task:
    """A degradation; severity is None where it is not the model's own corruption."""

    name: str
    operator: LinearOperator
    sigma_y: float
    severity: float | None


@dataclass(frozen=True)
class Bench:
    """What all methods share."""

    denoiser: sd.BaseDenoiser
    model: str
    data: Tensor
    originals: Tensor
    features: sd.metrics.FeatureExtractor
    distance: sd.metrics.FrechetDistance
    batch_size: int


def tasks(process: sd.SoftDiffusion) -> list[Task]:
    found = []
    for std in (2.0, 4.0):
        sigma = float(process.sigma(start_time(process, std)))
        name = f"blur {std:g} px"
        found.append(Task(name, sd.GaussianBlur().at(std), sigma, std))
    found.append(Task("box", sd.GrowingBox().at(12 / 28), 0.02, None))
    found.append(Task("70 % of the pixels", sd.RandomPixels().at(0.7), 0.02, None))
    return found


Method = Callable[[Bench, Task, Tensor], Tensor]


def settings(bench: Bench, task: Task, posterior: bool = False) -> dict[str, object]:
    """The arguments of sd.restore; `posterior` treats the model's own blur as any operator."""
    found: dict[str, object] = {
        "sigma_y": task.sigma_y,
        "generator": sd.generators(1, range(len(bench.originals))),
        "batch_size": bench.batch_size,
    }
    if task.severity is None or posterior:
        return found | {"operator": task.operator, "data": bench.data}
    return found | {"severity": task.severity}


def restored(
    bench: Bench, task: Task, y: Tensor, sampler: type[sd.Sampler], steps: int, **arguments: object
) -> Tensor:
    """Samples by a sampler, (S, N, C, H, W)."""
    posterior = bool(arguments.pop("posterior", False))
    kind = partial(sampler, steps=steps)
    arguments = settings(bench, task, posterior) | arguments
    return sd.restore(bench.denoiser, y, sampler=kind, **arguments).samples


def methods(task: Task) -> dict[str, tuple[int, Method]]:
    """Every method with its network calls an image."""
    steps = 30

    def classical(bench: Bench, task: Task, y: Tensor) -> Tensor:
        linear = sd.GaussianDenoiser.fit(bench.denoiser.process, bench.data)
        return wiener(linear, task.operator, y, task.sigma_y)

    def many(sampler: type[sd.Sampler], steps: int, **arguments: object) -> Method:
        return lambda b, t, y: restored(b, t, y, sampler, steps, samples=SAMPLES, **arguments)

    def single(sampler: type[sd.Sampler], steps: int, **arguments: object) -> Method:
        return lambda b, t, y: restored(b, t, y, sampler, steps, **arguments)

    found: dict[str, tuple[int, Method]] = {
        "degraded": (0, lambda bench, task, y: y),
        "pseudo-inverse": (0, lambda b, t, y: pseudo_inverse(t.operator, y, t.sigma_y)),
        "Wiener": (0, classical),
        "one step": (1, lambda b, t, y: one_step(b.denoiser, y, **settings(b, t))),
    }
    found |= {name: (steps, single(sampler, steps)) for name, sampler in SAMPLERS.items()}
    if task.severity is None:
        found["DPS, multistep"] = (steps, single(sd.MultistepSampler, steps, dps_step=1.0))
        found["mean of 4, multistep"] = (4 * steps, many(sd.MultistepSampler, steps))
        return found
    ancestral = 50
    found["ancestral"] = (ancestral, single(sd.AncestralSampler, ancestral))
    found["mean of 4, ancestral"] = (4 * ancestral, many(sd.AncestralSampler, ancestral))
    arguments = {"posterior": True}
    found["posterior, multistep"] = (steps, single(sd.MultistepSampler, steps, **arguments))
    found["mean of 4, posterior"] = (4 * steps, many(sd.MultistepSampler, steps, **arguments))
    return found


def measured(bench: Bench, task: Task, y: Tensor, images: Tensor) -> dict[str, float | None]:
    """All metrics of one method's images; standard errors over the images."""
    originals = bench.originals
    values = {
        "psnr": sd.metrics.psnr(images, originals),
        "ssim": sd.metrics.ssim(images, originals),
        "features": sd.metrics.feature_distance(images, originals, bench.features),
    }
    row: dict[str, float | None] = {}
    for name, value in values.items():
        row[name] = float(value.mean())
        row[f"{name}_error"] = float(value.std() / len(value) ** 0.5)
    found = bench.features.extract(images)
    row["frechet"] = float(bench.distance(found))
    row["frechet_error"] = float(sd.metrics.jackknife(bench.distance, found))
    row["floor"] = float(bench.distance(bench.features.extract(originals)))
    row["residual"] = float((task.operator(images) - y).square().mean().sqrt())
    return row


def spread(samples: Tensor, originals: Tensor) -> float | None:
    """The samples' standard deviation over the error that it should explain, 1 if it does.

    If the original is one more draw of the same distribution, the mean of S samples misses it by
    the variance times 1 + 1/S.
    """
    if len(samples) < 2:
        return None
    error = (samples.mean(dim=0) - originals).square().mean()
    return float((samples.var(dim=0).mean() * (1 + 1 / len(samples)) / error).sqrt())


@torch.no_grad()
def study(bench: Bench, out: Path, cache: Path) -> None:
    path = out / "rows.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    done = {_key(json.loads(line)) for line in lines}
    for task in tasks(bench.denoiser.process):
        (source,) = sd.generators(0, [0])
        noise = torch.randn(bench.originals.shape, generator=source)
        y = task.operator(bench.originals) + task.sigma_y * noise
        for name, (calls, method) in methods(task).items():
            head = {
                "task": task.name,
                "method": name,
                "calls": calls,
                "n": len(y),
                "model": bench.model,
                "extractor": bench.features.hash,
            }
            picture = cache / f"{_slug(task.name)}-{_slug(name)}.pt"
            if _key(head) in done and picture.exists():
                continue
            begun = time.perf_counter()
            samples = method(bench, task, y)
            images = samples if samples.ndim == 4 else samples.mean(dim=0)
            seconds = time.perf_counter() - begun
            images = images.clamp(-1, 1)
            row = head | measured(bench, task, y, images) | {"seconds": round(seconds, 1)}
            row["spread"] = spread(samples, bench.originals) if samples.ndim == 5 else None
            torch.save(images[:SHOWN], picture)
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


def draw(bench: Bench, out: Path, cache: Path) -> None:
    """One strip a task: a row an image, a column a method."""
    for task in tasks(bench.denoiser.process):
        columns = list(methods(task))
        frames = [torch.load(cache / f"{_slug(task.name)}-{_slug(name)}.pt") for name in columns]
        frames.append(bench.originals[:SHOWN])
        labels = [name.replace(", ", ",\n").replace(" ", "\n", 1) for name in columns]
        path = out / f"{_slug(task.name)}.png"
        sd.plots.save_strip(torch.stack(frames), path, [*labels, "original"])


def table(bench: Bench, out: Path) -> None:
    """Writes the newest row of every method below the heading of the README's results."""
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["model"] == bench.model and row["n"] == len(bench.originals)]
    newest = {(row["task"], row["method"]): row for row in rows}
    first = rows[-1]
    lines = [
        f"{first['n']} test images, model {first['model']}, features of extractor "
        f"{first['extractor']}. Fréchet distance to the 60,000 training images: the originals "
        f"themselves reach {first['floor']:.2f}. ± is the standard error over images; the "
        "jackknife's for the Fréchet distance.",
    ]
    for task in tasks(bench.denoiser.process):
        lines += [
            "",
            f"### {task.name}, noise {task.sigma_y:.3g}",
            "",
            f"![{task.name}]({_slug(task.name)}.png)",
            "",
            "| method | calls | PSNR, dB | SSIM | features | Fréchet | residual | spread | s |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for name in methods(task):
            row = newest[task.name, name]
            explained = "" if row["spread"] is None else f"{row['spread']:.2f}"
            lines.append(
                f"| {name} | {row['calls']} | {_value(row, 'psnr')} | {_value(row, 'ssim', 3)} "
                f"| {_value(row, 'features')} | {_value(row, 'frechet')} "
                f"| {row['residual']:.3f} | {explained} | {row['seconds']:.0f} |"
            )
    readme = out / "README.md"
    text = readme.read_text() if readme.exists() else "# Restoration\n\n## Results\n"
    head, heading, _ = text.partition("## Results\n")
    readme.write_text(head + heading + "\n" + "\n".join(lines) + "\n")


def _value(row: dict[str, float], name: str, digits: int = 2) -> str:
    return f"{row[name]:.{digits}f} ± {row[f'{name}_error']:.{digits}f}"


def _key(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[key] for key in ("task", "method", "calls", "n", "model", "extractor"))


def _slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name).lower().split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--cache", type=Path, default=None, help="Default: runs/restoration/N.")
    parser.add_argument("--batch_size", type=int, default=100)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    folder = arguments.model / "final"
    folder = folder if folder.is_dir() else arguments.model
    model = hashlib.sha256((folder / "ema.safetensors").read_bytes()).hexdigest()[:12]
    order = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))
    train = sd.data.load("fashion-mnist")
    features = sd.metrics.extractor("fashion-mnist-28")
    bench = Bench(
        denoiser=sd.load(folder)[0],
        model=model,
        data=train[:10_000],
        originals=sd.data.load("fashion-mnist", split="test")[order[: arguments.count]],
        features=features,
        distance=sd.metrics.FrechetDistance(features.extract(train)),
        batch_size=arguments.batch_size,
    )
    default = Path("runs") / "restoration" / f"{model}-{arguments.count}"
    cache: Path = arguments.cache or default
    cache.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    study(bench, arguments.out, cache)
    draw(bench, arguments.out, cache)
    table(bench, arguments.out)


if __name__ == "__main__":
    main()
