"""Which multistep sampler? Order, clock, corrector, noise and spacing of the times.

    python studies/multistep/variants.py MODEL... [--samples 1000]

For every model's `final` folder (named by the folder two levels above it): the Fréchet distance of
each variant at 5, 10 and 20 calls, one line each in rows.jsonl, and table.md. Rows that exist are
kept, so remove rows.jsonl for another number of samples.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.data import open as open_data
from softdiffusion.metrics import FrechetDistance, default_extractor, jackknife

HERE = Path(__file__).parent
CALLS = (5, 10, 20)
PIECES = 8


@dataclass(frozen=True)
class Variant:
    """The deterministic step along a polynomial through the last predictions.

    Attributes:
        order: How many predictions it goes through, where so many exist.
        clock: The variable in which it is a polynomial: the time, or "log" of the sum of
            severity and noise.
        integral: Whether it is followed in eight pieces of a hop, or taken in its middle.
        corrected: Whether a hop is made again once the next prediction is known.
        nu: The share of the noise that is drawn anew, 0 to 1.
        power: The times are equally spaced ones to this power, from 1 to the same last one.
    """

    order: int = 2
    clock: str = "t"
    integral: bool = False
    corrected: bool = False
    nu: float = 0.0
    power: float = 1.0


VARIANTS = {
    "deterministic": Variant(order=1),
    "multistep": Variant(),
    "third order": Variant(order=3),
    "clock log": Variant(clock="log"),
    "integral": Variant(integral=True),
    "corrected": Variant(corrected=True),
    "adams (integral, corrected)": Variant(integral=True, corrected=True),
    "adams, third order": Variant(order=3, integral=True, corrected=True),
    "multistep, nu = 0.5": Variant(nu=0.5),
    "multistep, nu = 1": Variant(nu=1.0),
    "adams, times^0.5": Variant(integral=True, corrected=True, power=0.5),
    "adams, times^0.75": Variant(integral=True, corrected=True, power=0.75),
    "adams, times^1.3": Variant(integral=True, corrected=True, power=1.3),
}


@torch.no_grad()
def sample(
    denoiser: sd.BaseDenoiser, x: Tensor, calls: int, variant: Variant, generator: torch.Generator
) -> Tensor:
    process = denoiser.process
    even = sd.AdamsSampler(process, denoiser, steps=calls).grid
    last = even[-1]
    grid = [last + (1 - last) * ((t - last) / (1 - last)) ** variant.power for t in even]
    clock = clock_of(process, variant.clock)
    known: list[tuple[float, Tensor]] = []
    hop_before: tuple[Tensor, float] | None = None
    for i, t in enumerate(grid):
        x0_hat = denoiser(x, moment(t))
        known = [(clock(t), x0_hat), *known][: variant.order]
        if i == len(grid) - 1:
            return x0_hat
        if variant.corrected and hop_before is not None:
            x = follow(process, *hop_before, t, known, variant, generator)
        hop_before = x, t
        x = follow(process, x, t, grid[i + 1], known, variant, generator)
    raise AssertionError("The grid is empty.")


def follow(
    process: sd.SoftDiffusion,
    x: Tensor,
    t: float,
    s: float,
    known: list[tuple[float, Tensor]],
    variant: Variant,
    generator: torch.Generator,
) -> Tensor:
    clock = clock_of(process, variant.clock)
    times = torch.linspace(t, s, (PIECES if variant.integral else 1) + 1, dtype=torch.float64)
    for a, b in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        hop = process.transition(a, b)
        D = polynomial(known, (clock(a) + clock(b)) / 2)
        tau = variant.nu * hop.sigma_s * (1 - hop.rho**2).clamp(min=0).sqrt()
        A = hop.rho * (1 - variant.nu**2 * (1 - hop.rho**2)).clamp(min=0).sqrt()
        noise = tau * torch.randn(x.shape, generator=generator)
        x = (hop.C_s(D) + A * (x - hop.C_t(D)) + noise).to(x.dtype)
    return x


def polynomial(known: list[tuple[float, Tensor]], at: float) -> Tensor:
    """Lagrange's through the known predictions."""
    total = torch.zeros_like(known[0][1])
    for i, (place, value) in enumerate(known):
        others = [other for j, (other, _) in enumerate(known) if j != i]
        total += math.prod((at - other) / (place - other) for other in others) * value
    return total


def clock_of(process: sd.SoftDiffusion, name: str) -> Callable[[float], float]:
    if name == "t":
        return lambda t: t
    return lambda t: math.log(float(process.sigma(t)) + float(process.schedule.severity(moment(t))))


def moment(t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)


def starts(path: Path, count: int) -> tuple[sd.BaseDenoiser, Tensor]:
    denoiser, prior = sd.load(path)
    if prior is None:
        raise SystemExit(f"{path} was saved without a start.")
    return denoiser, prior.sample(count, sd.generators(0, range(count)))


def measured(model: Path, count: int, done: set[tuple[str, str, int]]) -> Iterator[dict]:
    name = model.resolve().parents[1].name
    train = open_data("fashion-mnist", split="train", size=16)
    extractor = default_extractor(train.name, train.shape)
    distance = FrechetDistance(extractor.extract(train.tensor()))
    test = open_data("fashion-mnist", split="test", size=16)
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    floor = float(distance(extractor.extract(test.batch(order[:count]))))
    denoiser, x1 = starts(model, count)
    for label, variant in VARIANTS.items():
        for calls in CALLS:
            if (name, label, calls) in done:
                continue
            generator = torch.Generator().manual_seed(0)
            batches = [sample(denoiser, x, calls, variant, generator) for x in x1.split(250)]
            features = extractor.extract(torch.cat(batches).clamp(-1, 1))
            yield {
                "model": name,
                "variant": label,
                "calls": calls,
                "n": count,
                "frechet": float(distance(features)),
                "error": float(jackknife(distance, features)),
                "floor": floor,
                "extractor": extractor.hash,
            }


def table(rows: list[dict]) -> str:
    columns = list(dict.fromkeys((row["model"], row["calls"]) for row in rows))
    first = rows[0]
    head = (
        f"Fréchet distance of {first['n']:,} samples, extractor {first['extractor']}; as many "
        f"real test images lie at {first['floor']:.2f}. ± is the error of sampling; one training "
        "seed a model.\n"
    )
    lines = [head, "| variant | " + " | ".join(f"{m}, {c}" for m, c in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    found = {(row["model"], row["variant"], row["calls"]): row for row in rows}
    for label in VARIANTS:
        cells = (found.get((model, label, calls)) for model, calls in columns)
        texts = (f"{row['frechet']:.2f} ± {row['error']:.2f}" if row else "" for row in cells)
        lines.append(f"| {label} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    path = HERE / "rows.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    done = {(row["model"], row["variant"], row["calls"]) for row in map(json.loads, lines)}
    for model in options.models:
        for row in measured(model, options.samples, done):
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    (HERE / "table.md").write_text(table(rows))
