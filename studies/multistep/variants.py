"""Which multistep sampler? Order, clock, corrector, noise, and the times.

    python studies/multistep/variants.py MODEL... [--samples 1000]

For every model's `final` folder (named by the folder two levels above it): the Fréchet distance of
each variant at 5, 10 and 20 calls, one line each in rows.jsonl, and table.md. Rows that exist are
kept, so remove rows.jsonl for another number of samples. The first variant is MultistepSampler as
it is in the library; each other changes one thing, or two.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.data import open as open_data
from softdiffusion.studies import Rows, Yardstick

HERE = Path(__file__).parent
CALLS = (5, 10, 20)
PIECES = 8


@dataclass(frozen=True)
class Variant:
    """The deterministic step along a polynomial through the last predictions.

    Attributes:
        order: How many predictions it goes through, where so many exist.
        clock: The variable in which it is a polynomial: the schedule's "own" clock, the time "t",
            or the "log" of severity plus noise.
        integral: Whether it is followed in eight pieces of a hop, or taken in its middle.
        corrected: Whether a hop is made again once the next prediction is known.
        nu: The share of the noise that is drawn anew, 0 to 1.
        last: N calls end at this over N, where there is no noise at t = 0; elsewhere at 0.
        shift: Equally spaced times u become shift u / (1 + (shift - 1) u).
    """

    order: int = 2
    clock: str = "own"
    integral: bool = False
    corrected: bool = False
    nu: float = 0.0
    last: float = 0.5
    shift: float = 1.0


VARIANTS = {
    "multistep": Variant(),
    "first order": Variant(order=1),
    "third order": Variant(order=3),
    "clock t": Variant(clock="t"),
    "clock log": Variant(clock="log"),
    "ends at 1/N": Variant(last=1.0),
    "clock t, ends at 1/N": Variant(clock="t", last=1.0),
    "ends at 1/4N": Variant(last=0.25),
    "integral": Variant(integral=True),
    "corrected": Variant(corrected=True),
    "integral, corrected": Variant(integral=True, corrected=True),
    "nu = 0.5": Variant(nu=0.5),
    "nu = 1": Variant(nu=1.0),
    "shift 0.5": Variant(shift=0.5),
    "shift 2": Variant(shift=2.0),
}


@torch.no_grad()
def sample(
    denoiser: sd.BaseDenoiser, x: Tensor, calls: int, variant: Variant, generator: torch.Generator
) -> Tensor:
    process = denoiser.process
    grid = times(process, calls, variant)
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


def times(process: sd.SoftDiffusion, calls: int, variant: Variant) -> list[float]:
    last = 0.0 if process.sigma(0.0) > 0 else variant.last / calls
    even = torch.linspace(1, last, calls, dtype=torch.float64)
    return (variant.shift * even / (1 + (variant.shift - 1) * even)).tolist()


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
    pieces = torch.linspace(t, s, (PIECES if variant.integral else 1) + 1, dtype=torch.float64)
    for a, b in pairwise(pieces.tolist()):
        hop = process.transition(a, b)
        D = polynomial(known, (clock(a) + clock(b)) / 2)
        tau = variant.nu * hop.sigma_s * (1 - hop.rho**2).clamp(min=0).sqrt()
        A = hop.rho * (1 - variant.nu**2 * (1 - hop.rho**2)).clamp(min=0).sqrt()
        x = (hop.C_s(D) + A * (x - hop.C_t(D))).to(x.dtype)
        if variant.nu:
            x = x + tau.to(x.dtype) * torch.randn(x.shape, generator=generator)
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
    schedule = process.schedule
    if name == "own":
        return lambda t: float(schedule.clock(moment(t)))
    return lambda t: float((schedule.severity(moment(t)) + schedule.sigma(moment(t))).log())


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
    test = open_data("fashion-mnist", split="test", size=16)
    yardstick = Yardstick(train, test, count)
    denoiser, x1 = starts(model, count)
    for label, variant in VARIANTS.items():
        for calls in CALLS:
            if (name, label, calls) in done:
                continue
            generator = torch.Generator().manual_seed(0)
            batches = [sample(denoiser, x, calls, variant, generator) for x in x1.split(250)]
            found = yardstick(torch.cat(batches).clamp(-1, 1))
            yield {
                "model": name,
                "variant": label,
                "calls": calls,
                "n": found["n"],
                "frechet": found["frechet"],
                "error": found["frechet_error"],
                "floor": found["floor"],
                "extractor": found["extractor"],
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
    rows = Rows(HERE / "rows.jsonl")
    done = {(row["model"], row["variant"], row["calls"]) for row in rows}
    for model in options.models:
        for row in measured(model, options.samples, done):
            rows.append(row)
    (HERE / "table.md").write_text(table(list(rows)))
