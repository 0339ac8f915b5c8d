"""The report of a study: tables and pictures, as Markdown and as a page."""

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..plots import plot_distances, plot_losses
from .cost import Cost
from .rows import Rows
from .study import Study
from .summary import Result, summarise

__all__ = ["write_report"]

Table = list[list[str]]
Results = dict[tuple[str, int], dict[str, Result]]

#: The names of the figures that a report writes; others in their folder are not its own.
_FIGURES = ("distance-*.png", "loss-*.png")

_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%}section{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;width:22rem}"
    "table{border-collapse:collapse}td{padding:.1rem .8rem;border-bottom:1px solid #ddd}"
    "tr:first-child{font-weight:bold}"
)


def write_report(study: Study) -> Path:
    """Writes `report.md`, `report.html` and `figures/` into the study's folder.

    Figures of an earlier report that this one no longer has are removed.

    In every column of a table the smallest distance, and all that tie with it, are bold.

    Returns:
        The path of the page.

    Raises:
        ValueError: If nothing was measured yet, with other numbers of samples or images or another
            recipe than the study's, or by two extractors, whose distances do not compare.
    """
    folder = study.folder
    rows = Rows(folder / "rows.jsonl").of(study)
    if not rows:
        raise ValueError(f"{folder} has no rows yet; run the study first.")
    extractors = {row["extractor"] for row in rows}
    if len(extractors) > 1:
        raise ValueError(
            f"{folder / 'rows.jsonl'} has distances by {len(extractors)} extractors, which do not "
            "compare; remove the rows of all but one."
        )
    results = summarise(rows)
    table = _table(list(study.arms), results)
    first = rows[0]
    facts = (
        f"Fréchet distance of {study.samples:,} samples to the training images on the extractor "
        f"{first['extractor'][:12]}; as many real test images lie at {first['floor']:.2f} ± "
        f"{first['floor_error']:.2f} (N = {first['floor_n']:,}). ± is one standard error over "
        "seeds and samples together; bold is the best of a column and what ties with it (a "
        "difference below two standard errors). Arms with one seed are marked ¹: their error "
        "knows nothing of the spread over trainings."
    )
    machines = dict.fromkeys(
        f"{row.get('gpu', row['processor'])}, {row['threads']} thread(s), torch {row['torch']}"
        for row in rows
    )
    made = (
        f"Command: {study.command}. Measured on {'; '.join(machines)}. Wall "
        "times are those of the first seed, and depend on what ran beside it."
    )
    costs = _costs(study, rows)
    figures = _draw(study, results)
    markdown = [f"# {study.title}", facts, _markdown(table), "## Cost", made, _markdown(costs)]
    markdown += [f"![{path.stem}]({_link(path, folder)})" for path in figures]
    (folder / "report.md").write_text("\n\n".join(markdown) + "\n")
    pictures = (study.picture(arm, *column) for arm in study.arms for column in sorted(results))
    samples = [path for path in pictures if path.is_file()]
    page = [
        f"<!doctype html><meta charset=utf-8><title>{html.escape(study.title)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(study.title)}</h1><p>{html.escape(facts)}</p>",
        _html(table),
        f"<h2>Cost</h2><p>{html.escape(made)}</p>",
        _html(costs),
        "<h2>Figures</h2>",
        *(f'<p><img src="{_link(path, folder)}" alt="{path.stem}"></p>' for path in figures),
        "<h2>Samples</h2>",
        _gallery(samples, folder),
    ]
    (folder / "report.html").write_text("\n".join(page) + "\n")
    return folder / "report.html"


def _link(path: Path, folder: Path) -> str:
    """The address of a file as seen from the report; names of evaluations may hold spaces."""
    return quote(path.relative_to(folder).as_posix())


def _table(arms: Sequence[str], results: Results) -> Table:
    """One line an arm, one column an evaluation and number of calls."""
    columns = sorted(results, key=lambda column: (column[0], column[1]))
    measured = [arm for arm in arms if any(arm in results[column] for column in columns)]
    lines = [["arm", *(f"{evaluation}, {calls}" for evaluation, calls in columns)]]
    for arm in measured:
        found = [results[column].get(arm) for column in columns]
        single = any(result and result.seeds == 1 for result in found)
        cells = [
            _cell(result, results[column].values())
            for column, result in zip(columns, found, strict=True)
        ]
        lines.append([arm + "¹" * single, *cells])
    return lines


def _costs(study: Study, rows: Sequence[dict[str, Any]]) -> Table:
    """What training and sampling took, one line an arm."""
    table = [["arm", "images", "training, minutes", "sampling, ms a call and image"]]
    for name, arm in study.arms.items():
        losses = study.losses(name, arm.seeds[0])
        own = [row for row in rows if row["arm"] == name and row["seed"] == arm.seeds[0]]
        if own and losses.is_file():
            cost = Cost.of(own, losses)
            times = (f"{cost.training_minutes:.1f}", f"{cost.milliseconds_per_call:.2f}")
            table.append([name, f"{cost.images:,}", *times])
    return table


def _cell(result: Result | None, column: Iterable[Result]) -> str:
    if result is None:
        return ""
    return f"**{result}**" if result.is_among_best(column) else str(result)


def _draw(study: Study, results: Results) -> list[Path]:
    """Distances against calls, by evaluation and by arm, and the losses of every arm."""
    folder = study.folder
    figures = []
    points = [
        {
            "arm": arm,
            "evaluation": evaluation,
            "nfe": r.nfe,
            "distance": r.distance,
            "error": r.error,
        }
        for arm in study.arms
        for (evaluation, _), arms in results.items()
        if (r := arms.get(arm))
    ]
    floor = next(r.floor for arms in results.values() for r in arms.values())
    for within, across in (("evaluation", "arm"), ("arm", "evaluation")):
        for name in dict.fromkeys(point[within] for point in points):
            lines = [{**p, "sampler": p[across]} for p in points if p[within] == name]
            if 1 < len({p[across] for p in lines}) < len(lines):  # lines, and not points alone
                figures.append(folder / "figures" / f"distance-{within}-{name}.png")
                plot_distances(lines, figures[-1], floor)
    trainings = (study.losses(name, seed) for name, arm in study.arms.items() for seed in arm.seeds)
    for path in filter(Path.is_file, trainings):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        figures.append(folder / "figures" / f"loss-{path.stem}.png")
        plot_losses(records, figures[-1])
    for stale in {p for kind in _FIGURES for p in (folder / "figures").glob(kind)} - {*figures}:
        stale.unlink()
    return figures


def _markdown(table: Table) -> str:
    head, *body = ("| " + " | ".join(row) + " |" for row in table)
    return "\n".join([head, "|---" * len(table[0]) + "|", *body])


def _html(table: Table) -> str:
    def cell(text: str) -> str:
        bold = text.startswith("**")
        return f"<td>{'<b>' * bold}{html.escape(text.strip('*'))}{'</b>' * bold}</td>"

    return "<table>" + "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in table) + "</table>"


def _gallery(pictures: Sequence[Path], folder: Path) -> str:
    shown = (
        f'<figure><img src="{_link(p, folder)}" alt="{p.stem}">'
        f"<figcaption>{p.stem}</figcaption></figure>"
        for p in pictures
    )
    return f"<section>{''.join(shown)}</section>"
