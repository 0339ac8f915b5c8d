"""The six answers of docs/what-the-study-says.md in one picture.

    python studies/answers.py

From the rows of the studies beside it; writes docs/pictures/answers.png.
"""

from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from softdiffusion.studies import Result, Rows, Study, summarise

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs" / "pictures" / "answers.png"

LOSSES = {
    "step-matched": "step-matched",
    "drift-matched": "drift-matched",
    "look-ahead-10": "look-ahead",
    "l2": "L2",
    "cold-l1": "L1 (Cold)",
    "soft-unweighted": "soft, weight 1",
    "soft": "soft (the paper's)",
}
SAMPLERS = ("naive", "momentum", "heun", "multistep")
LEVELS = {
    "cosine": "cosine",
    "linear": "linear",
    "geometric": "geometric",
    "wasserstein-32": "by distance\n(the paper's)",
}
#: Every setting has one look in all panels.
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "blurred-flow-0.7": ("blurred flow to 0.7", {"color": "tab:blue", "linewidth": 2.5}),
    "no-blur-0.7": ("the same without blur", {"color": "tab:blue", "linestyle": ":"}),
    "blurred-flow": ("blurred flow", {"color": "tab:cyan"}),
    "rectified-flow": ("rectified flow", {"color": "tab:orange"}),
    "edm": ("EDM", {"color": "tab:brown"}),
    "vp": ("VP", {"color": "tab:purple"}),
    "step-matched": ("blur, step-matched", {"color": "tab:green"}),
    "soft": ("blur, the paper's loss", {"color": "tab:red"}),
    "blurring": ("Blurring Diffusion", {"color": "tab:gray"}),
    "ve": ("VE", {"color": "tab:olive"}),
    "inverse-heat": ("heat dissipation", {"color": "black"}),
}

Results = dict[tuple[str, int], dict[str, Result]]


@cache
def results(study: str) -> Results:
    """What was measured, by evaluation and calls and there by arm."""
    folder = HERE / study
    return summarise(Rows(folder / "rows.jsonl").of(Study.read(folder / "study.yaml")))


def by_multistep(found: Results, arm: str, calls: int) -> Result:
    """With times shifted by N/10 beyond ten calls, where that was measured: for flows and VP."""
    shifted = found.get(("multistep shifted", calls), {})
    return shifted.get(arm) or found["multistep", calls][arm]


def line(ax: Axes, points: list[tuple[float, Result]], label: str, **style: Any) -> None:
    x, found = zip(*sorted(points, key=lambda point: point[0]), strict=True)
    distances, errors = [r.distance for r in found], [r.error for r in found]
    ax.errorbar(x, distances, errors, label=label, marker="o", markersize=4, capsize=2, **style)


def logarithmic(ax: Axes, ticks: tuple[int, ...]) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(ticks, map(str, ticks))
    limits = ax.get_ylim()
    heights = (0.2, 0.5, 1, 2, 5, 10, 20, 50)
    ax.set_yticks(heights, [f"{height:g}" for height in heights])
    ax.set_ylim(limits)  # which ticks beyond would have widened
    ax.minorticks_off()


def by_name(
    ax: Axes, found: Results, names: dict[str, str], columns: list[tuple[str, int]]
) -> None:
    for column in columns:
        cells = [found[column][arm] for arm in names]
        distances, errors = [r.distance for r in cells], [r.error for r in cells]
        label = "{}, {} calls".format(*column)
        places = range(len(names))
        ax.errorbar(distances, places, xerr=errors, fmt="o", markersize=5, capsize=2, label=label)
    ax.set_yticks(range(len(names)), names.values())
    ax.invert_yaxis()
    ax.set_xlim(left=0)


def losses(ax: Axes) -> None:
    by_name(ax, results("objective"), LOSSES, [("multistep", 30), ("momentum", 30)])


def samplers(ax: Axes) -> None:
    found = results("samplers")
    for sampler in SAMPLERS:
        cells = [r["blurred-flow"] for (name, _), r in found.items() if name == sampler]
        line(ax, [(cell.nfe, cell) for cell in cells], sampler)
    logarithmic(ax, (5, 10, 20, 30, 50, 100, 300))


def schedules(ax: Axes) -> None:
    columns = [(sampler, calls) for calls in (10, 30) for sampler in ("multistep", "momentum")]
    by_name(ax, results("schedule"), LEVELS, columns)


def corruptions(ax: Axes) -> None:
    found = results("headline")
    calls = (5, 10, 20, 30, 50, 100)
    for arm, (label, style) in SETTINGS.items():
        line(ax, [(n, by_multistep(found, arm, n)) for n in calls], label, **style)
    real = found["multistep", 10]["soft"].floor
    ax.axhline(real, color="black", linestyle="--", linewidth=1, label="real images")
    logarithmic(ax, calls)


def starts(ax: Axes) -> None:
    rows = list(Rows(HERE / "start" / "early.jsonl"))
    for arm in ("blurred-flow", "rectified-flow"):
        of_arm = [
            r for r in rows if (r["arm"], r["calls"]) == (arm, 5) and r["start"] != "gaussian"
        ]
        ends = dict.fromkeys(row["end"] for row in of_arm)
        points = [(end, Result.of([row for row in of_arm if row["end"] == end])) for end in ends]
        label, style = SETTINGS[arm]
        line(ax, points, label, **style)
    trained = results("headline")["multistep", 5]["blurred-flow-0.7"]
    label, style = SETTINGS["blurred-flow-0.7"]
    line(ax, [(0.7, trained)], f"trained as {label}", color=style["color"], linestyle="")
    ax.set_ylim(bottom=0)


def costs(ax: Axes) -> None:
    shorter, longest = results("cost")["multistep", 10], results("headline")["multistep", 10]
    for arm in ("blurred-flow-0.7", "blurred-flow", "soft"):
        lengths = [n for n in (24, 48, 96, 192) if f"{arm}-{n}k" in shorter]
        points = [(n, shorter[f"{arm}-{n}k"]) for n in lengths]
        label, style = SETTINGS[arm]
        line(ax, [*points, (576, longest[arm])], label, **style)
    logarithmic(ax, (24, 48, 96, 192, 576))


def main() -> None:
    figure = Figure(figsize=(13, 7.2), layout="constrained")
    above, below = figure.subfigures(2, 1)
    axes = [*above.subplots(1, 3), *below.subplots(1, 3, width_ratios=(2, 1, 1))]
    panels = {
        "1. Which loss?": (losses, "Fréchet distance"),
        "2. Which sampler? (blurred flow)": (samplers, "network calls an image"),
        "3. Which levels?": (schedules, "Fréchet distance"),
        "4. Which corruption?": (corruptions, "network calls an image"),
        "5. Which start? (5 calls)": (starts, "t of the fitted start; 1 is noise alone"),
        "6. What cost? (10 calls)": (costs, "training images, thousands"),
    }
    for ax, (title, (draw, label)) in zip(axes, panels.items(), strict=True):
        draw(ax)
        ax.set(title=title, xlabel=label)
        ax.grid(alpha=0.3)
        beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if draw is corruptions else {}
        ax.legend(fontsize=7, **beside)
        if "Fréchet" not in label:
            ax.set_ylabel("Fréchet distance")
    figure.savefig(PICTURE, dpi=120)


if __name__ == "__main__":
    main()
