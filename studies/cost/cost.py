"""What a distance costs in training and in sampling.

    python studies/cost/cost.py

From the rows and losses of this study and of ../samplers: the Fréchet distance against the minutes
of training on one core, and against the milliseconds that an image takes to draw. Writes cost.png.
"""

from pathlib import Path

from matplotlib.figure import Figure

from softdiffusion.studies import Rows
from softdiffusion.studies.cost import Cost

HERE = Path(__file__).parent
NAMES = {
    "soft": "the paper's setting",
    "blurred-flow": "blurred flow",
    "blurred-flow-0.7": "blurred flow to 0.7",
}
COLOURS = {"soft": "tab:red", "blurred-flow": "tab:cyan", "blurred-flow-0.7": "tab:blue"}
SAMPLERS = {"multistep": "o", "momentum": "s"}


def training(ax) -> None:
    rows = list(Rows(HERE / "rows.jsonl"))
    # All arms at the pace of one, for their wall times depend on what ran beside them.
    pace = Cost.of(rows[:1], HERE / "losses" / f"{rows[0]['arm']}-0.jsonl")
    for arm in COLOURS:
        for sampler, marker in SAMPLERS.items():
            points = sorted(
                (row["images"] / pace.images * pace.training_minutes, row["frechet"])
                for row in rows
                if row["arm"].rpartition("-")[0] == arm and row["evaluation"] == sampler
            )
            calls = next(row["calls"] for row in rows if row["evaluation"] == sampler)
            label = f"{NAMES[arm]}, {sampler}, {calls} calls"
            ax.plot(*zip(*points, strict=True), color=COLOURS[arm], marker=marker, label=label)
    ax.set(xlabel="training, minutes on one core", ylabel="Fréchet distance, 2,000 samples")
    ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])


def sampling(ax) -> None:
    rows = list(Rows(HERE.parent / "samplers" / "rows.jsonl"))
    # A call costs the same with all; the fastest row is the one that least ran beside.
    pace = min(1000 * row["sampling_seconds"] / row["n"] / row["nfe"] for row in rows)
    for arm, colour in COLOURS.items():
        for sampler, marker in SAMPLERS.items():
            points = sorted(
                (pace * row["nfe"], row["frechet"])
                for row in rows
                if row["arm"] == arm and row["evaluation"] == sampler
            )
            label = f"{NAMES[arm]}, {sampler}"
            ax.plot(*zip(*points, strict=True), color=colour, marker=marker, label=label)
    ax.set(xlabel="sampling, ms an image on one core", ylabel="Fréchet distance, 500 samples")
    ax.set_xticks([3, 10, 30, 100, 300], ["3", "10", "30", "100", "300"])


if __name__ == "__main__":
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, draw in zip(axes, (training, sampling), strict=True):
        ax.set(xscale="log", yscale="log")
        draw(ax)
        ax.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
        ax.legend(fontsize=7)
    figure.savefig(HERE / "cost.png", dpi=140)
