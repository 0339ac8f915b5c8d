"""What is found out about restored images, in rows for the report and in words."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..process import SoftDiffusion
from ..quoting import in_one_line
from ..restoration import Restoration
from ..restoration.doubts import against_residuals
from .flags import as_flags
from .originals import Comparison
from .unfinished import Unfinished

__all__ = ["finish", "rows_of"]

#: What may be estimated, by its name in the report.
_ESTIMATED = (("severity", "severity"), ("sigma_y", "noise"))


def rows_of(
    names: list[str], digests: list[str], found: Restoration, sigma_t: Tensor
) -> dict[str, Any]:
    """What the report says of every image."""
    columns: dict[str, Any] = {
        "name": names,
        "sha256": digests,
        "route": list(found.route),
        "t": found.t.tolist(),
        "sigma_y": found.sigma_y.tolist(),
        "sigma_t": sigma_t.tolist(),
        "residual": found.residual.T.tolist(),
    }
    if found.severity is not None:
        columns["severity"] = found.severity.tolist()
    for name, estimate in (("severity", found.estimate), ("sigma_y", found.noise)):
        if estimate is not None:
            for part in ("std", "low", "high"):
                columns[f"{name}_{part}"] = getattr(estimate, part).tolist()
    return {
        name: {key: values[k] for key, values in columns.items()} for k, name in enumerate(names)
    }


def finish(
    work: Unfinished,
    process: SoftDiffusion,
    pixels: int,
    failed: dict[str, str],
    comparison: Comparison | None,
) -> None:
    """Writes the report; says how well samples explain the images and what was estimated.

    Arguments:
        work: What was restored.
        process: The model's process.
        pixels: The numbers of an image.
        failed: Why files were left out, by their names.
        comparison: What measured against the originals, if there are any.
    """
    rows = [*work.rows.values()]
    residual, sigma_y, sigma_t = (
        torch.tensor([row[name] for row in rows], dtype=torch.float64)
        for name in ("residual", "sigma_y", "sigma_t")
    )
    doubts = against_residuals(process, residual.T, sigma_y, sigma_t, pixels)
    # A finished report already has them all.
    warnings = list(dict.fromkeys(map(as_flags, (*work.warnings, *doubts))))
    more: dict[str, Any] = {"sigma_y": float(sigma_y.mean()), "warnings": warnings}
    if failed:
        more["failed"] = failed
    if comparison is not None:
        more["quality"] = comparison.report([row["quality"] for row in rows])
        print(comparison.table(more["quality"]))
    path = work.finish(**more)
    for line in _told(rows, residual, sigma_y):
        print(line)
    for sentence in warnings:
        print(f"warning: {sentence}")
    spread = "std/, " if residual.shape[1] > 1 else ""
    print(f"wrote {path}, restored/, mean/, {spread}samples/ and baselines.png")


def _told(rows: list[dict[str, Any]], residual: Tensor, sigma_y: Tensor) -> Iterator[str]:
    """The rows in a few lines: the routes, how well samples explain the images, the estimates.

    Arguments:
        rows: The rows of all images.
        residual: Their residuals, (B, S).
        sigma_y: Their noise, (B,).
    """
    routes = [row["route"] for row in rows]
    yield (
        f"route: {routes.count('level')} from their level, {routes.count('operator')} by the "
        "operator"
    )
    yield (
        f"data consistency: root mean square of A x - y {residual.mean():.3g} (largest "
        f"{residual.max():.3g}), noise in y {sigma_y.mean():.3g}"
    )
    for row in rows:
        said = [_said(row, name, what) for name, what in _ESTIMATED if f"{name}_std" in row]
        if said:
            yield f"{in_one_line(row['name'])}: {'; '.join(said)}"


def _said(row: dict[str, Any], name: str, what: str) -> str:
    return (
        f"{what} {row[name]:.3g} ± {row[f'{name}_std']:.2g}, 95 % in "
        f"[{row[f'{name}_low']:.3g}, {row[f'{name}_high']:.3g}]"
    )
