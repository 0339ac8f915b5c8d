"""Restore degraded images with a trained model."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from torch import Tensor

from ..corruptions import Corruption
from ..data import Images, open, read_images
from ..denoisers import BaseDenoiser
from ..operators import LinearOperator
from ..plots import save_grid, save_images, save_strip
from ..process import SoftDiffusion
from ..random import generators
from ..restoration import (
    Restoration,
    linear_model,
    one_step,
    pseudo_inverse,
    restore,
    wiener,
)
from ..samplers import Sampler
from .models import add_data, add_model, data_named, load_model
from .originals import compare
from .parser import Parser
from .recipe import Recipe

__all__ = ["parser", "run"]

#: The noise of rounding to 8 bits, for images in [-1, 1].
_ROUNDING = 2 / 255 / math.sqrt(12)

#: Images in the picture of the baselines.
_SHOWN = 16


def parser() -> Parser:
    """The arguments of `softdiffusion restore`."""
    parser = Parser()
    add_model(parser)
    parser.add_argument("--input", type=Path, required=True, help="An image, or a folder of them.")
    parser.add_argument(
        "--severity",
        type=float | None,
        default=None,
        help="In the unit of the model's corruption; it is estimated if it is not given.",
    )
    parser.add_argument(
        "--sigma_y",
        type=float | None,
        default=None,
        help="Noise in the images, for values in [-1, 1]; the default is that of 8 bits, or 0 on "
        "a level of a model without noise.",
    )
    parser.add_argument(
        "--operator",
        type=Corruption | None,
        default=None,
        help="What degraded the images, if it is another corruption than the model's.",
    )
    parser.add_argument("--operator_severity", type=float | None, default=None)
    parser.add_argument(
        "--dps_step",
        type=float | None,
        default=None,
        help="For an --operator: DPS with this step (1 to begin with) in the place of the data's "
        "spectrum.",
    )
    parser.add_argument(
        "--sampler",
        type=Callable[[SoftDiffusion, BaseDenoiser], Sampler] | None,
        default=None,
        help="Default: ancestral with 100 steps, or multistep with 30 for an --operator.",
    )
    parser.add_argument("--samples", type=int, default=4, help="Samples of each image.")
    parser.add_argument(
        "--originals",
        type=Path | None,
        default=None,
        help="A folder with the originals under the same names, to measure the error.",
    )
    add_data(parser)
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    parser.add_argument("--progress", type=bool, default=True, help="Show a progress bar.")
    return parser


@torch.no_grad()
def run(arguments: Namespace) -> None:
    """Writes the restored images with mean and standard deviation, baselines and a report."""
    denoiser, prior = load_model(arguments.model, arguments.trust, arguments.device)
    built = parser().instantiate(arguments)
    operator = _operator(built.operator, arguments.operator_severity)
    if arguments.sigma_y is None:
        noisy = operator is not None or denoiser.process.sigma(1.0) > 0
        arguments.sigma_y = _ROUNDING if noisy else 0.0
    y, names = read_images(arguments.input, _shape(prior.sample(1)))
    originals = None if arguments.originals is None else _named(arguments.originals, y, names)
    data = _data(arguments, needed=operator is not None or arguments.severity is None)
    severity = "to be estimated" if arguments.severity is None else arguments.severity
    way = "another operator" if operator else f"severity {severity}"
    print(f"{len(y)} images, {arguments.samples} samples each, {way}, to {arguments.out}")
    if arguments.dry_run:
        return
    y = y.to(arguments.device)
    settings: dict[str, Any] = {
        "severity": arguments.severity,
        "sigma_y": arguments.sigma_y,
        "operator": operator,
        "dps_step": arguments.dps_step,
        "data": None if data is None else Recipe.measured(data).to(y),
        "generator": generators(arguments.seed, range(len(y))),
        "batch_size": arguments.batch_size,
    }
    found = restore(
        denoiser,
        y,
        sampler=built.sampler,
        samples=arguments.samples,
        progress=arguments.progress,
        **settings,
    )
    pictures = _pictures(denoiser, y, found, settings, operator)
    if originals is not None:
        pictures["original"] = originals
    _draw(found, pictures, names, arguments.out)
    report = _report(arguments, names, found)
    if originals is not None:
        name = "" if data is None else data.name
        report["quality"], text = compare(pictures, name)
        print(text)
    path = arguments.out / "report.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(_summary(report))
    spread = "std/, " if len(found.samples) > 1 else ""
    print(f"wrote {path}, restored/, mean/, {spread}samples/ and baselines.png")


def _operator(corruption: Corruption | None, severity: float | None) -> LinearOperator | None:
    if (corruption is None) != (severity is None):
        raise ValueError(
            "--operator names a corruption and --operator_severity says how strong it is; give "
            "both of them, or none."
        )
    return None if corruption is None else corruption.at(severity)  # type: ignore[arg-type]


def _shape(images: Tensor) -> tuple[int, int, int]:
    channels, height, width = images.shape[1:]
    return channels, height, width


def _named(folder: Path, y: Tensor, names: list[str]) -> Tensor:
    """The originals of the images, by their names."""
    originals, found = read_images(folder, _shape(y))
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"There is no original called {missing[0]} in {folder}; add it.")
    return originals[[found.index(name) for name in names]]


def _data(arguments: Namespace, needed: bool) -> Images | None:
    """The data of the recipe; None where they are absent and can be done without."""
    name, size, channels = data_named(arguments)
    if name is None and needed:
        raise ValueError(
            "No recipe lies beside the model, so name its data with --data: without a --severity "
            "their spectrum is needed."
        )
    try:
        return None if name is None else open(name, size=size, channels=channels)
    except OSError:
        if needed:
            raise
        return None


def _pictures(
    denoiser: BaseDenoiser,
    y: Tensor,
    found: Restoration,
    settings: dict[str, Any],
    operator: LinearOperator | None,
) -> dict[str, Tensor]:
    """What every method makes of the images, in [-1, 1] on the CPU."""
    if operator is None:
        assert found.severity is not None  # given or estimated
        operator = denoiser.process.corruption.at(found.severity.to(y.device))
        settings = settings | {"severity": found.severity}
    pictures = {
        "degraded": y,
        "pseudo-inverse": pseudo_inverse(operator, y, settings["sigma_y"]),
    }
    if settings["data"] is not None:
        linear = linear_model(denoiser.process, settings["data"])
        pictures["Wiener"] = wiener(linear, operator, y, settings["sigma_y"])
    pictures["one step"] = one_step(denoiser, y, **settings)
    pictures["sample"] = found.samples[0]
    pictures["mean"] = found.mean
    return {name: images.cpu().clamp(-1, 1) for name, images in pictures.items()}


def _draw(found: Restoration, pictures: dict[str, Tensor], names: list[str], out: Path) -> None:
    save_images(pictures["sample"], out / "restored", names)
    save_images(pictures["mean"], out / "mean", names)
    for index, name in enumerate(names):
        save_grid(found.samples[:, index].cpu(), out / "samples" / f"{name}.png")
    if len(found.samples) > 1:
        # Black is certain, and white a standard deviation of half the range.
        save_images(2 * found.std.cpu() - 1, out / "std", names)
    frames = torch.stack([images[:_SHOWN] for images in pictures.values()])
    save_strip(frames, out / "baselines.png", list(pictures))


def _report(arguments: Namespace, names: list[str], found: Restoration) -> dict[str, Any]:
    rows = [
        {"name": name, "t": t, "residual": residual}
        for name, t, residual in zip(
            names, found.t.tolist(), found.residual.T.tolist(), strict=True
        )
    ]
    if found.severity is not None:
        for row, severity in zip(rows, found.severity.tolist(), strict=True):
            row["severity"] = severity
    if found.estimate is not None:
        for part in ("std", "low", "high"):
            values = getattr(found.estimate, part).tolist()
            for row, value in zip(rows, values, strict=True):
                row[f"severity_{part}"] = value
    return {
        "arguments": yaml.safe_load(parser().dump(arguments)),
        "sigma_y": arguments.sigma_y,
        "images": rows,
    }


def _summary(report: dict[str, Any]) -> str:
    """How well the samples explain the images, and what was estimated."""
    residuals = torch.tensor([row["residual"] for row in report["images"]])
    lines = [
        f"data consistency: root mean square of A x - y {residuals.mean():.3g} (largest "
        f"{residuals.max():.3g}), noise in y {report['sigma_y']:.3g}"
    ]
    lines += [
        f"{row['name']}: severity {row['severity']:.3g} ± {row['severity_std']:.2g}, 95 % in "
        f"[{row['severity_low']:.3g}, {row['severity_high']:.3g}]"
        for row in report["images"]
        if "severity_std" in row
    ]
    return "\n".join(lines)
