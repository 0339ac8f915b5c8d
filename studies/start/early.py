"""Where can a flow stop? Starts that are fitted on the way, for flows that are trained to noise.

    python studies/start/early.py runs/headline/ARM/seed-N/final... [--samples 2000]

For every model: the Fréchet distance of multistep sampling with 5 and 10 calls from the noise at
t = 1, and from a Gaussian and a mixture that are fitted to the training images at earlier times,
one line each in early.jsonl; early.md and early.png bring the seeds together. Rows that exist are
kept, so remove early.jsonl for another number of samples.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import torch
from matplotlib.figure import Figure

import softdiffusion as sd
from softdiffusion.data import measured
from softdiffusion.data import open as open_data
from softdiffusion.schedules import linear
from softdiffusion.studies import Result, Rows, Yardstick

HERE = Path(__file__).parent
CALLS = (5, 10)
ENDS = (0.9, 0.8, 0.7, 0.6)
COMPONENTS = 10  # as in the recipe
COLOURS = {"blurred-flow": "tab:cyan", "rectified-flow": "tab:orange"}
STYLES = {"gaussian": "--", "mixture": "-"}
STARTS = [("noise", 1.0), *((start, end) for end in ENDS for start in STYLES)]

#: Arm, start, end, calls.
Cell = tuple[str, str, float, int]

Fitted = sd.GaussianPrior | sd.MixturePrior


def fitted(start: str, end: float, process: sd.SoftDiffusion, images: torch.Tensor) -> Fitted:
    part = sd.SoftDiffusion(process.corruption, linear((0.0, end), (0.0, end)))
    if start == "mixture":
        return sd.MixturePrior.fit(part, images, COMPONENTS)
    return sd.GaussianPrior.fit(part, images)


def times(end: float, calls: int) -> list[float]:
    """Equally spaced, to where the sampler's own would end."""
    last = sd.MultistepSampler.last_share / calls
    return torch.linspace(end, last, calls, dtype=torch.float64).tolist()


def measure(
    model: Path, images: torch.Tensor, yardstick: Yardstick, count: int, done: set[tuple[Cell, int]]
) -> Iterator[dict]:
    run = model.resolve().parent
    arm, seed = run.parent.name, int(run.name.removeprefix("seed-"))
    denoiser, _ = sd.load(model)
    for start, end in STARTS:
        missing = [calls for calls in CALLS if ((arm, start, end, calls), seed) not in done]
        if not missing:
            continue
        prior = fitted(start, end, denoiser.process, images)
        for calls in missing:
            noise = sd.generators(seed, range(count))
            sampler = sd.MultistepSampler(denoiser.process, denoiser, times=times(end, calls))
            samples = sampler(prior.sample(count, noise), noise, batch_size=250).clamp(-1, 1)
            yield {
                "arm": arm,
                "seed": seed,
                "start": start,
                "end": end,
                "modes": len(prior.modes),
                "calls": calls,
                "nfe": sampler.nfe,
                **yardstick(samples),
            }


def cell_of(row: dict) -> Cell:
    return row["arm"], row["start"], row["end"], row["calls"]


def table(rows: list[dict], results: dict[Cell, Result]) -> str:
    modes = {(row["arm"], row["start"], row["end"]): row["modes"] for row in rows}
    columns = [(arm, calls) for arm in COLOURS for calls in CALLS]
    first = rows[0]
    lines = [
        f"Fréchet distance of {first['n']:,} samples, extractor {first['extractor']}; as many real "
        f"test images lie at {first['floor']:.2f}. ± is one standard error over seeds and samples; "
        "in brackets, how many seeds, and how many modes of the images outlive the noise.\n",
        "| start | t | " + " | ".join(f"{arm}, {calls} calls" for arm, calls in columns) + " |",
        "|---" * (2 + len(columns)) + "|",
    ]
    for start, end in dict.fromkeys((row["start"], row["end"]) for row in rows):
        cells = [
            f"{results[arm, start, end, calls]} ({results[arm, start, end, calls].seeds}; "
            f"{modes[arm, start, end]})"
            for arm, calls in columns
        ]
        lines.append(f"| {start} | {end:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def chart(results: dict[Cell, Result]) -> Figure:
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    for ax, calls in zip(figure.subplots(1, len(CALLS), sharey=True), CALLS, strict=True):
        for arm, colour in COLOURS.items():
            for start, style in STYLES.items():
                cells = [(arm, "noise", 1.0, calls), *((arm, start, end, calls) for end in ENDS)]
                ax.errorbar(
                    [end for _, _, end, _ in cells],
                    [results[cell].distance for cell in cells],
                    [results[cell].error for cell in cells],
                    color=colour,
                    linestyle=style,
                    marker="o",
                    capsize=2,
                    label=f"{arm.replace('-', ' ')}, {start}",
                )
        ax.set(title=f"{calls} calls", xlabel="t of the start; 1 is noise alone")
        ax.grid(alpha=0.3)
        ax.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("Fréchet distance")
    figure.axes[0].legend(fontsize=7)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "models", type=Path, nargs="*", help="Without any, the rows are drawn anew."
    )
    parser.add_argument("--samples", type=int, default=2000)
    options = parser.parse_args()
    rows = Rows(HERE / "early.jsonl")
    done = {(cell_of(row), row["seed"]) for row in rows}
    if options.models:
        train, test = (open_data("fashion-mnist", split=s, size=16) for s in ("train", "test"))
        images = train.batch(measured(len(train)))  # as `train` fits a start
        yardstick = Yardstick(train, test, options.samples)
        for model in options.models:
            for row in measure(model, images, yardstick, options.samples, done):
                rows.append(row)
    groups: dict[Cell, list[dict]] = defaultdict(list)
    for row in rows:
        groups[cell_of(row)].append(row)
    results = {cell: Result.of(found) for cell, found in groups.items()}
    (HERE / "early.md").write_text(table(list(rows), results))
    chart(results).savefig(HERE / "early.png", dpi=140)
