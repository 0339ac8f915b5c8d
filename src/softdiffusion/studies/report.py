"""The report of a study: tables and pictures, as Markdown and as a page."""

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..files import check_writable, write_text
from ..plots import plot_distances, plot_losses
from .cost import Cost
from .losses import read_losses
from .markup import Cell, Table, as_html, as_markdown, html_table, markdown_table
from .rows import Rows
from .study import Study
from .summary import Result, summarise

__all__ = ["write_report"]

Results = dict[tuple[str, int], dict[str, Result]]

#: The names of the figures that a report writes; others in their folder are not its own.
_FIGURES = re.compile(r"distance-(evaluation|arm)-.+\.png|loss-.+-\d+\.png")

#: What a report needs of every row.
_NEEDED = (
    *("nfe", "frechet", "frechet_error", "floor", "floor_error", "floor_n", "extractor"),
    *("processor", "threads", "torch", "sampling_seconds"),
)

_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%}section{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;width:22rem}"
    "table{border-collapse:collapse}td{padding:.1rem .8rem;border-bottom:1px solid #ddd}"
    "tr:first-child{font-weight:bold}"
)


def write_report(study: Study) -> Path:
    """Writes `report.md`, `report.html` and `figures/` into the study's folder.

    Figures of an earlier report that this one no longer has are removed. What can't be drawn or
    computed is left out, and the report says why.

    In every column of a table the smallest distance, and all that tie with it, are bold.

    Returns:
        The path of the page.

    Raises:
        ValueError: If nothing was measured yet, with other numbers of samples or images or another
            recipe than the study's, or by two extractors, whose distances do not compare, or a row
            is damaged, or nothing can be written in the folder.
    """
    folder = study.folder
    measured = Rows(folder / "rows.jsonl")
    rows = measured.of(study, _NEEDED)
    if not rows:
        raise ValueError(f"{folder} has no rows yet; run the study first.")
    extractors = {row["extractor"] for row in rows}
    if len(extractors) > 1:
        raise ValueError(
            f"{measured.path} has distances by {len(extractors)} extractors, which do not "
            "compare; remove the rows of all but one."
        )
    check_writable(folder)
    left_out: list[str] = []
    if measured.cut_off:
        left_out.append(
            "the last row of rows.jsonl: it was cut off; the next run measures it again"
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
    costs = _costs(study, rows, left_out)
    figures = _draw(study, results, left_out)
    _write_markdown(study, facts, table, made, costs, figures, left_out)
    _write_page(study, facts, table, made, costs, figures, left_out, sorted(results))
    return folder / "report.html"


def _write_markdown(
    study: Study,
    facts: str,
    table: Table,
    made: str,
    costs: Table,
    figures: Sequence[Path],
    left_out: Sequence[str],
) -> None:
    parts = [
        f"# {as_markdown(study.title)}",
        as_markdown(facts),
        markdown_table(table),
        "## Cost",
        as_markdown(made),
        markdown_table(costs),
        *(f"![{as_markdown(path.stem)}]({_link(path, study.folder)})" for path in figures),
    ]
    if left_out:
        parts += ["## Left out", "\n".join(f"- {as_markdown(reason)}" for reason in left_out)]
    write_text(study.folder / "report.md", "\n\n".join(parts) + "\n")


def _write_page(
    study: Study,
    facts: str,
    table: Table,
    made: str,
    costs: Table,
    figures: Sequence[Path],
    left_out: Sequence[str],
    columns: Sequence[tuple[str, int]],
) -> None:
    folder, title = study.folder, as_html(study.title)
    pictures = (study.picture(arm, *column) for arm in study.arms for column in columns)
    samples = [path for path in pictures if path.is_file()]
    parts = [
        f"<!doctype html><meta charset=utf-8><title>{title}</title>",
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{as_html(facts)}</p>",
        html_table(table),
        f"<h2>Cost</h2><p>{as_html(made)}</p>",
        html_table(costs),
        "<h2>Figures</h2>",
        *(f"<p>{_image(path, folder)}</p>" for path in figures),
        "<h2>Samples</h2>",
        _gallery(samples, folder),
    ]
    if left_out:
        items = "".join(f"<li>{as_html(reason)}</li>" for reason in left_out)
        parts += ["<h2>Left out</h2>", f"<ul>{items}</ul>"]
    write_text(folder / "report.html", "\n".join(parts) + "\n")


def _link(path: Path, folder: Path) -> str:
    """The address of a file as seen from the report; names of evaluations may hold spaces."""
    return quote(path.relative_to(folder).as_posix())


def _image(path: Path, folder: Path) -> str:
    return f'<img src="{_link(path, folder)}" alt="{as_html(path.stem)}">'


def _table(arms: Sequence[str], results: Results) -> Table:
    """One line an arm, one column an evaluation and number of calls."""
    columns = sorted(results, key=lambda column: (column[0], column[1]))
    measured = [arm for arm in arms if any(arm in results[column] for column in columns)]
    head = ["arm", *(f"{evaluation}, {calls}" for evaluation, calls in columns)]
    lines = [[Cell(text) for text in head]]
    for arm in measured:
        found = [results[column].get(arm) for column in columns]
        single = any(result and result.seeds == 1 for result in found)
        cells = [
            _cell(result, results[column].values())
            for column, result in zip(columns, found, strict=True)
        ]
        lines.append([Cell(arm + "¹" * single), *cells])
    return lines


def _costs(study: Study, rows: Sequence[dict[str, Any]], left_out: list[str]) -> Table:
    """What training and sampling took, one line an arm."""
    lines = [["arm", "images", "training, minutes", "sampling, ms a call and image"]]

    def add(name: str, own: list[dict[str, Any]], losses: Path) -> None:
        cost = Cost.of(own, losses)
        times = (f"{cost.training_minutes:.1f}", f"{cost.milliseconds_per_call:.2f}")
        lines.append([name, f"{cost.images:,}", *times])

    for name, arm in study.arms.items():
        losses = study.losses(name, arm.seeds[0])
        own = [row for row in rows if row["arm"] == name and row["seed"] == arm.seeds[0]]
        if own and losses.is_file():
            _try(f"the cost of {name}", left_out, partial(add, name, own, losses))
    return [[Cell(text) for text in line] for line in lines]


def _cell(result: Result | None, column: Iterable[Result]) -> Cell:
    if result is None:
        return Cell("")
    return Cell(str(result), bold=result.is_among_best(column))


def _try(what: str, left_out: list[str], make: Callable[[], None]) -> bool:
    """Whether something could be made; if not, because of what it shows, it is left out.

    A full disk or the like still ends the report.
    """
    try:
        with warnings.catch_warnings():
            # Letters that the font lacks, no room, an overflow: it would not show what it says.
            for kind in (UserWarning, RuntimeWarning):
                warnings.simplefilter("error", kind)
            make()
    except (ValueError, TypeError, LookupError, ArithmeticError, Warning) as error:
        left_out.append(f"{what}: {error or type(error).__name__}")
        return False
    return True


def _draw(study: Study, results: Results, left_out: list[str]) -> list[Path]:
    """Distances against calls, by evaluation and by arm, and the losses of every arm."""
    folder = study.folder / "figures"
    figures = []

    def draw(what: str, path: Path, plot: Callable[[Path], None]) -> None:
        if _try(what, left_out, partial(plot, path)):
            figures.append(path)

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
                draw(
                    f"the distances of {name}",
                    folder / f"distance-{within}-{name}.png",
                    partial(_plot_distances, lines, floor),
                )
    trainings = (study.losses(name, seed) for name, arm in study.arms.items() for seed in arm.seeds)
    for losses in filter(Path.is_file, trainings):
        draw(
            f"the losses of {losses.stem}",
            folder / f"loss-{losses.stem}.png",
            partial(_plot_losses, losses),
        )
    for path in folder.iterdir() if folder.is_dir() else ():
        if _FIGURES.fullmatch(path.name) and path.is_file() and path not in figures:
            path.unlink()
    return figures


def _plot_distances(lines: Sequence[dict[str, Any]], floor: float, path: Path) -> None:
    least = min(floor, *(line["distance"] for line in lines))
    if least <= 0:
        raise ValueError(f"a distance of {least:g} has no place on a logarithmic axis")
    plot_distances(lines, path, floor)


def _plot_losses(losses: Path, path: Path) -> None:
    records = read_losses(losses)
    for record in records:
        values = [record.get("loss"), *(record.get("loss_per_level") or [None])]
        if not all(isinstance(value, int | float) for value in values if value is not None):
            raise ValueError(f"a loss in {losses.name} is no number")
    plot_losses(records, path)


def _gallery(pictures: Sequence[Path], folder: Path) -> str:
    shown = (
        f"<figure>{_image(p, folder)}<figcaption>{as_html(p.stem)}</figcaption></figure>"
        for p in pictures
    )
    return f"<section>{''.join(shown)}</section>"
