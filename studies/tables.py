"""The tables of the pages, written from the rows of the studies.

    python studies/tables.py

A table stands between two comments, of which the first names it.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from answers import HERE, by_multistep, results

from softdiffusion.studies import Result

ROOT = HERE.parent
PAGES = tuple(
    ROOT / page
    for page in ("README.md", "docs/study-in-full.md", "studies/fashion-mnist/README.md")
)
BLOCK = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

#: An evaluation and its number of calls.
Column = tuple[str, int]
#: What a line is called, and its cells; None where nothing was measured.
Line = tuple[str, Sequence[Result | None]]

CALLS = (5, 10, 20, 30, 50, 100)
FEW: list[Column] = [("multistep", 10), ("multistep", 30), ("momentum", 10), ("momentum", 30)]
MANY: list[Column] = [*(("multistep", n) for n in CALLS), ("momentum", 10), ("momentum", 30)]
SHIFTED: list[Column] = [("multistep shifted", n) for n in CALLS]
OWN: list[Column] = [("own", n) for n in CALLS]

LOSSES = {
    "soft": "soft, 1/sigma^2 (the paper's)",
    "soft-unweighted": "soft, weight 1",
    "l2": "L2",
    "cold-l1": "L1 (Cold Diffusion's)",
    "look-ahead-10": "look-ahead, N = 10",
    "drift-matched": "drift-matched",
    "step-matched-share-0": "step-matched, N = 10, no soft share",
    "step-matched": "step-matched, N = 10, soft share 0.1",
    "step-matched-share-1": "step-matched, N = 10, soft share 1",
    "step-matched-30": "step-matched, N = 30, soft share 0.1",
}
SAMPLERS = {
    "naive": "naive",
    "momentum": "momentum",
    "bridge": "bridge",
    "deterministic": "deterministic",
    "probabilityflow": "probability flow",
    "heun": "heun",
    "multistep": "**multistep**",
}
LEVELS = {
    "geometric": "geometric",
    "cosine": "cosine",
    "linear": "linear",
    "wasserstein-32": "by distance, 32 levels",
    "wasserstein-8": "by distance, 8 levels",
}
HEADLINE = {
    "blurred-flow-0.7": "**blurred flow to t = 0.7**",
    "no-blur-0.7": "the same without blur",
    "blurred-flow": "**blurred flow**",
    "rectified-flow": "rectified flow",
    "vp": "VP (DDPM)",
    "ve": "VE",
    "edm": "EDM",
    "blurring": "Blurring Diffusion",
    "inverse-heat": "heat dissipation",
    "step-matched": "step-matched, blur, noise to 0.2",
    "l2": "L2, blur, noise to 0.2",
    "soft": "soft, blur, noise to 0.2 (the paper's)",
}
#: Of these the README shows multistep, or the sampler of the setting itself.
IN_SHORT = {
    "blurred-flow-0.7": "**blurred flow to t = 0.7**",
    "blurred-flow": "blurred flow, the whole path",
    "rectified-flow": "rectified flow",
    "edm": "EDM",
    "vp": "VP (DDPM)",
    "step-matched": "blur and noise, step-matched loss",
    "soft": "blur and noise, the paper's loss",
}
CORRUPTIONS = {
    "blurred-flow-0.7": "**blurred flow to t = 0.7**",
    "blurred-flow": "**blurred flow**",
    "rectified-flow": "rectified flow",
    "vp": "VP (DDPM)",
    "ve": "VE",
    "blurring": "Blurring Diffusion",
    "inverse-heat": "heat dissipation",
    "cold-blur": "Cold Diffusion, blur",
    "sigma-max-0.02": "step-matched, blur, noise of 0.02",
    "sigma-max-0.05": "step-matched, blur, noise to 0.05",
    "step-matched-blur": "step-matched, blur, noise to 0.2",
    "sigma-max-0.5": "step-matched, blur, noise to 0.5",
    "sigma-max-1": "step-matched, blur, noise to 1",
    "soft-mask": "soft, a growing hole, noise to 0.2 (the paper's mask)",
}
BLURS = {
    "3px": "3 px",
    "1px": "1 px",
    "6px": "6 px",
    "no-blur": "no blur",
    "rectified-flow": "rectified flow",
    "3px-importance": "3 px, times in proportion to their loss",
    "3px-end-0.8": "3 px, to t = 0.8",
    "3px-end-0.7": "3 px, to t = 0.7",
    "3px-end-0.7-gaussian": "3 px, to t = 0.7, from a Gaussian",
    "no-blur-end-0.7": "no blur, to t = 0.7",
}
PREDICTIONS = {
    "residual": "the residual x_0 - x_t | step-matched",
    "wiener-channel": "the residual, the Wiener estimate as a second input | step-matched",
    "wiener-skip": "what the Wiener filter leaves over | step-matched",
    "wiener-scaled": "the same, with one output scale a level | step-matched",
    "wiener-spectral": "the same, with one output scale a frequency | step-matched",
    "whitened": "the residual | whitened",
    "wiener-spectral-whitened": "what the filter leaves over, one scale a frequency | whitened",
}
FLOW_PREDICTIONS = {
    "blurred-flow": "blurred flow: the residual in units of the noise | step-matched",
    "blurred-flow-wiener-skip": "the same, what the Wiener filter leaves over | step-matched",
    "blurred-flow-wiener-channel": "the same, the Wiener estimate as a second input | step-matched",
}
#: The models of studies/fashion-mnist, with the images that they were trained on.
MODELS = {
    "flow-0.7": "flow | 400,000",
    "flow": "flow, the whole path | 400,000",
    "step-matched-400k": "step-matched | 400,000",
    "recommended": "step-matched | 650,000",
    "paper": "the paper's | 400,000",
}
MODEL_SAMPLERS = {
    "MultistepSampler": "multistep",
    "MultistepSampler-shift-3": "multistep, shift 3",
    "MomentumSampler": "momentum",
    "NaiveSampler": "naive",
}


@dataclass(frozen=True)
class Table:
    """Distances in lines and columns; in every group the best of a column, and its ties, are bold.

    Attributes:
        head: The names of the columns.
        groups: The lines.
        digits: Digits behind the point.
        errors: Whether standard errors are shown.
    """

    head: Sequence[str]
    groups: Sequence[Sequence[Line]]
    digits: int
    errors: bool

    def __str__(self) -> str:
        return markdown(self.head, [self._line(line, g) for g in self.groups for line in g])

    def _line(self, line: Line, group: Sequence[Line]) -> list[str]:
        label, cells = line
        columns = zip(*(cells for _, cells in group), strict=True)
        return [label, *map(self._cell, cells, columns)]

    def _cell(self, result: Result | None, column: Iterable[Result | None]) -> str:
        if result is None:
            return ""
        text = f"{result.distance:.{self.digits}f}"
        if self.errors:
            text += f" ± {result.error:.{self.digits}f}"
        return f"**{text}**" if result.is_among_best(r for r in column if r) else text


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table; a head or a label with a bar in it takes two columns."""
    first, *others = (f"| {' | '.join(cells)} |" for cells in (head, *lines))
    return "\n".join([first, "|---" * (first.count("|") - 1) + "|", *others])


def by_arm(study: str, arms: Mapping[str, str], columns: Sequence[Column]) -> list[Line]:
    found = results(study)
    unknown = arms.keys() - {arm for column in found.values() for arm in column}
    if unknown:
        raise KeyError(f"{study} has no rows of {', '.join(unknown)}")
    return [
        (label, [found.get(column, {}).get(arm) for column in columns])
        for arm, label in arms.items()
    ]


def by_steps() -> Table:
    """The step-matched loss by its number of steps."""
    columns: list[Column] = [*(("multistep", n) for n in CALLS[:-1]), *FEW[2:]]
    lines = [
        *by_arm("objective", {"step-matched-3": "3"}, columns),
        *by_arm("corruption", {"step-matched-blur": "10"}, columns),
        *by_arm("objective", {"step-matched-30": "30"}, columns),
    ]
    return Table(headings("N", columns), [lines], 1, errors=True)


def by_sampler(arm: str) -> Table:
    found = results("samplers")
    calls = (*CALLS, 300)
    lines = [(label, [found[name, n][arm] for n in calls]) for name, label in SAMPLERS.items()]
    return Table(["sampler, calls", *map(str, calls)], [lines], 1, errors=False)


def headline() -> Table:
    lines = []
    ways = (by_arm("headline", HEADLINE, columns) for columns in (MANY, SHIFTED, OWN))
    for (label, cells), (_, shifted), (_, own) in zip(*ways, strict=True):
        seeds = seeds_of(cells)
        lines.append((f"{label}, {seeds} seed{'s' * (seeds > 1)}", cells))
        for way, others in (("times shifted by N/10", shifted), ("by its own sampler", own)):
            if any(others):
                lines.append((f"the same, {way}", [*others, None, None]))
    return Table(headings("setting", MANY), [lines], 2, errors=True)


def headline_in_short() -> Table:
    calls = (5, 10, 30, 100)
    found = results("headline")
    lines = []
    for arm, label in IN_SHORT.items():
        cells = [by_multistep(found, arm, n) for n in calls]
        lines.append((f"{label} | {seeds_of(cells)} | multistep", cells))
    momentum = [found.get(("momentum", n), {}).get("soft") for n in calls]
    label = f"{IN_SHORT['soft']} | {seeds_of(momentum)} | momentum (the paper's)"
    lines.append((label, momentum))
    head = ["setting | seeds | sampler", *(f"{n} calls" for n in calls)]
    return Table(head, [lines], 2, errors=True)


def leads() -> str:
    """By how many errors blurred flow to t = 0.7, by its own sampler, is ahead of the others."""
    found = results("headline")
    recommended = "blurred-flow-0.7"

    def lead(arm: str, calls: int) -> str:
        ours = by_multistep(found, recommended, calls)
        ways = (found.get((name, calls), {}) for name in ("multistep", "multistep shifted", "own"))
        theirs = min((way[arm] for way in ways if arm in way), key=lambda r: r.distance)
        errors = (theirs.distance - ours.distance) / math.hypot(theirs.error, ours.error)
        return f"({errors:.1f})" if theirs.ties_with(ours) else f"{errors:.1f}"

    lines = [
        [label.strip("*"), *(lead(arm, calls) for calls in CALLS)]
        for arm, label in HEADLINE.items()
        if arm != recommended
    ]
    return markdown(["ahead of", *map(str, CALLS)], lines)


def seeds_of(cells: Sequence[Result | None]) -> int:
    return min(result.seeds for result in cells if result)


def corruptions() -> Table:
    papers = by_arm("objective", {"soft": "soft, blur, noise to 0.2 (the paper's)"}, MANY)
    lines = [*by_arm("corruption", CORRUPTIONS, MANY), *papers]
    return Table(headings("setting", MANY), [lines], 2, errors=True)


def models() -> Table:
    """Fashion-MNIST at 28 pixels, from the reports of `softdiffusion evaluate`."""
    calls = (5, 10, 30)
    lines = []
    for model, name in MODELS.items():
        rows = json.loads((HERE / "fashion-mnist" / f"report-{model}" / "report.json").read_text())
        found = {
            (row["sampler"], row["steps"]): Result(
                row["distance"], row["error"], 1, row["nfe"], row["floor"]
            )
            for row in rows
        }
        for sampler, sampled in MODEL_SAMPLERS.items():
            cells = [found.get((sampler, n)) for n in calls]
            if any(cells):
                lines.append((f"{name} | {sampled}", cells))
    head = ["setting | images trained on | sampler", *(f"{n} calls" for n in calls)]
    return Table(head, [lines], 2, errors=True)


def headings(first: str, columns: Iterable[Column]) -> list[str]:
    """The number of calls alone where the sampler is that of the column before."""
    names, last = [first], ""
    for evaluation, calls in columns:
        names.append(str(calls) if evaluation == last else f"{evaluation} {calls}")
        last = evaluation
    return names


def tables() -> dict[str, Table | str]:
    """All tables by name."""
    with_naive = [*FEW, ("naive", 30)]
    predictions = [by_arm("preconditioning", a, FEW) for a in (PREDICTIONS, FLOW_PREDICTIONS)]
    return {
        "losses": Table(
            headings("loss, blur and noise", with_naive),
            [by_arm("objective", LOSSES, with_naive)],
            digits=1,
            errors=False,
        ),
        "steps": by_steps(),
        "samplers-soft": by_sampler("soft"),
        "samplers-blurred-flow": by_sampler("blurred-flow"),
        "samplers-blurred-flow-0.7": by_sampler("blurred-flow-0.7"),
        "levels": Table(
            headings("levels", FEW), [by_arm("schedule", LEVELS, FEW)], digits=1, errors=True
        ),
        "headline": headline(),
        "leads": leads(),
        "corruptions": corruptions(),
        "predictions": Table(
            headings("prediction | loss", FEW), predictions, digits=1, errors=False
        ),
        "blurs": Table(
            ["blurred flow", "5", "10", "30"],
            [by_arm("blurred-flow", BLURS, [("multistep", n) for n in (5, 10, 30)])],
            digits=1,
            errors=True,
        ),
        "models": models(),
        "headline-in-short": headline_in_short(),
    }


def rewritten(text: str) -> str:
    """A page with its tables as the rows have them now.

    Raises:
        KeyError: If the page names a table that is unknown.
    """
    written = tables()
    return BLOCK.sub(lambda block: f"{block[1]}{written[block[2]]}\n{block[3]}", text)


def main() -> None:
    for page in PAGES:
        page.write_text(rewritten(page.read_text()))


if __name__ == "__main__":
    main()
