"""The page and the plot of an evaluation."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..files import write_text
from ..metrics import Report
from ..plots import plot_distances

__all__ = ["write_page"]


def write_page(
    rows: list[dict[str, Any]],
    title: str,
    out: Path,
    names: Sequence[str] | None,
    left_out: list[str],
) -> None:
    """Writes `report.md`, the summary of all rows and their reports, and `distance.png`.

    Arguments:
        rows: What was measured, a row a sampler and number of steps.
        title: What the samples are.
        out: The folder.
        names: The names of the classes, if the model has them.
        left_out: Why other rows are missing.
    """
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
