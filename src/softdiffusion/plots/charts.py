"""Charts of numbers: schedules, losses, distances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..files import drafted
from ..schedules import Schedule, Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["plot_distances", "plot_losses", "plot_schedule"]

#: Okabe and Ito's colours, which people of every colour vision tell apart; with them, markers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_INK, _FAINT = "#333333", "#999999"

#: The limits of an axis of t, with room for what lies on its ends.
_TIME = (-0.02, 1.02)

#: Above this ratio between the largest and the smallest value, an axis is logarithmic.
_WIDE = 30


def plot_schedule(schedule: Schedule | Selection, path: str | Path) -> None:
    """Plots severity and noise level over t; of a selection, its levels and hops too.

    Arguments:
        schedule: A schedule, or what a selection by Wasserstein distance returned.
        path: The PNG; folders that are missing are made.
    """
    selection = schedule if isinstance(schedule, Selection) else None
    curves = schedule.schedule() if isinstance(schedule, Selection) else schedule
    t = torch.linspace(0, 1, 501, dtype=torch.float64)
    with _style():
        figure, axes = _panels(3 if selection else 2)
        for ax, name, curve, colour in (
            (axes[0], "severity", curves.severity, _COLOURS[0]),
            (axes[1], "sigma", curves.sigma, _COLOURS[1]),
        ):
            values = curve(t).numpy()
            ax.plot(t, values, color=colour)
            ax.set(title=name, xlabel="t", xlim=_TIME)
            _scale_axis(ax, values)
        if selection:
            levels = np.linspace(0, 1, len(selection.severities))
            axes[0].plot(levels, selection.severities, "o", color=_COLOURS[0], markersize=3)
            axes[0].set_title(f"severity, {len(levels)} levels")
            _plot_hops(axes[2], selection, levels)
        _save(figure, path)


def _plot_hops(ax: Axes, selection: Selection, levels: np.ndarray) -> None:
    step = levels[1] - levels[0]
    ax.bar(levels[:-1] + step / 2, selection.hops, width=0.8 * step, color=_COLOURS[2])
    ax.axhline(selection.epsilon, color=_INK, linestyle="--", linewidth=1)
    ax.set(title="length of each hop", xlabel="t", xlim=_TIME)
    ax.set_ylim(0, 1.18 * selection.epsilon)
    label = rf"$\epsilon$ = {selection.epsilon:.3g}"
    ax.text(1.0, 1.02 * selection.epsilon, label, color=_INK, ha="right", va="bottom")


def plot_losses(records: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Plots the loss of a training, overall and for every level of t.

    Arguments:
        records: The rows of `stats.jsonl`, each with `images`, `loss` and `loss_per_level` (None
            where a level was not seen).
        path: The PNG; folders that are missing are made.

    Raises:
        ValueError: If there is no row.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm

    if not records:
        raise ValueError("There is no row of losses to plot; train for longer, or log more often.")
    images = [row["images"] for row in records]
    levels = np.array([row["loss_per_level"] for row in records], dtype=float)  # None becomes NaN
    count = levels.shape[1]
    colours = colormaps["viridis"].resampled(count)
    with _style():
        figure, (whole, parts) = _panels(2, sharey=True)
        whole.plot(images, [row["loss"] for row in records], color=_COLOURS[0])
        whole.set(title="loss", xlabel="training images")
        for level in range(count):
            parts.plot(images, levels[:, level], color=colours(level))
        parts.set(title="loss at each level of t", xlabel="training images")
        norm = BoundaryNorm(np.linspace(0, 1, count + 1), count)
        figure.colorbar(ScalarMappable(norm, colours), ax=parts, label="t", ticks=[0, 0.5, 1])
        _scale_axis(whole, levels)
        for ax in (whole, parts):
            ax.xaxis.set_major_formatter(_thousands)
        _save(figure, path)


def plot_distances(
    rows: Sequence[Mapping[str, Any]],
    path: str | Path,
    floor: float | None = None,
    label: str = "distance to real images",
) -> None:
    """Plots the distance to real images against the cost of an image, one line a sampler.

    Arguments:
        rows: Measurements, each with `sampler` (a name), `nfe` (network calls an image, > 0),
            `distance` (> 0) and its standard error `error`, drawn as a bar.
        path: The PNG; folders that are missing are made.
        floor: The distance that real images have themselves, > 0, drawn as a dashed line.
        label: What is measured, on how many images and with which extractor.

    Raises:
        ValueError: If there is no row.
    """
    if not rows:
        raise ValueError("There is no distance to plot; evaluate at least one sampler.")
    with _style():
        figure, (ax,) = _panels(1, width=6.4, height=4.0)
        for index, name in enumerate(dict.fromkeys(row["sampler"] for row in rows)):
            points = sorted(
                (row["nfe"], row["distance"], row["error"])
                for row in rows
                if row["sampler"] == name
            )
            calls, distances, errors = zip(*points, strict=True)
            ax.errorbar(
                calls,
                distances,
                errors,
                capsize=2,
                color=_COLOURS[index % len(_COLOURS)],
                marker=_MARKERS[index % len(_MARKERS)],
                linestyle="-" if index < len(_COLOURS) else "-.",
                label=name,
            )
        if floor is not None:
            ax.axhline(floor, color=_INK, linestyle="--", linewidth=1, label="real images")
        ax.set(xscale="log", yscale="log")
        ax.set(xlabel="network calls an image", ylabel=label)
        _label_plainly(ax.xaxis)
        _label_plainly(ax.yaxis)
        ax.set_xticks(spaced({row["nfe"] for row in rows}))
        legend = ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        for text in legend.get_texts():
            text.set_parse_math(False)  # a name with dollars is no formula
        _save(figure, path)


def spaced(values: Iterable[float]) -> list[float]:
    """The values without those whose labels would lie on each other on a logarithmic axis."""
    ratio = 1.2  # of two labels of three digits that just stand apart, from 5 to 300 calls
    kept: list[float] = []
    for value in sorted(values, reverse=True):
        if not kept or kept[-1] >= ratio * value:
            kept.append(value)
    return kept[::-1]


def _style() -> AbstractContextManager[None]:
    """The look of every chart, for the length of a with statement."""
    from matplotlib import rc_context

    return rc_context(
        {
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": _FAINT,
            "axes.labelcolor": _INK,
            "axes.titlecolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e6e6e6",
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "legend.frameon": False,
        }
    )


def _panels(
    count: int, width: float = 3.7, height: float = 3.0, sharey: bool = False
) -> tuple[Figure, Sequence[Axes]]:
    # A figure of its own, without pyplot, touches no global state and opens no window.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count, height), layout="constrained")
    return figure, figure.subplots(1, count, sharey=sharey, squeeze=False)[0]


def _scale_axis(ax: Axes, values: np.ndarray) -> None:
    """Makes the vertical axis logarithmic for positive values that span a wide range."""
    low, high = np.nanmin(values), np.nanmax(values)
    if low > 0 and high > _WIDE * low:
        ax.set_yscale("log")
        _label_plainly(ax.yaxis)
    else:
        ax.set_ylim(bottom=min(0.0, low))


def _label_plainly(axis: Axis) -> None:
    """Labels a logarithmic axis at 1, 2, 5, 10, ... in plain numbers."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def _thousands(value: float, _: float) -> str:
    return f"{value / 1000:g}k" if value else "0"


def _save(figure: Figure, path: str | Path) -> None:
    with drafted(Path(path)) as draft:
        figure.savefig(draft, dpi=160, format="png")
