"""Restore degraded images with a trained model."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from jsonargparse import Namespace
from torch import Tensor

from ..checks import check_count
from ..corruptions import Corruption
from ..data import Images
from ..denoisers import BaseDenoiser
from ..operators import LinearOperator
from ..plots import save_grid, save_images, save_strip
from ..process import SoftDiffusion
from ..quoting import in_one_line
from ..random import generators
from ..restoration import Plan, Restoration, follow, make_plan, pseudo_inverse, wiener
from ..restoration.doubts import ROUNDING
from ..samplers import DeterministicSampler, Sampler
from .degraded import Degraded, read_degraded, read_originals
from .findings import finish, rows_of
from .flags import naming_flags
from .models import add_data, add_model, data_named, load_model, model_digest
from .originals import Comparison
from .parser import Parser
from .places import check_outside
from .recipe import Recipe
from .samplers import add_sampler, set_steps
from .team import Team, joined
from .unfinished import Unfinished, claimed

__all__ = ["parser", "run"]

#: Images in the picture of the baselines, at most: those of the first part.
_SHOWN = 16

#: Arguments that do not change what is restored.
_ASIDE = ("cache", "config", "dry_run", "input", "out", "progress")


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
        help="Noise in the images, for values in [-1, 1]; it is estimated if it is not given. For "
        "an --operator, or without data, the default is that of 8 bits, 0.0023.",
    )
    parser.add_argument(
        "--route",
        type=Literal["auto", "level", "operator"],
        default="auto",
        help="From the images' own level, or as by any operator; auto takes the better one.",
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
    add_sampler(
        parser, None, "Default: ancestral with 100 steps, or multistep with 30 by an operator."
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


def run(arguments: Namespace) -> None:
    """Writes the restored images with mean and standard deviation, baselines and a report.

    Several processes share the images; the first one keeps the report.

    Raises:
        ValueError: If an argument is wrong, the folder holds something else, or a file can't be
            read; all others are restored before.
    """
    with joined() as team:
        _run(arguments, team)


@torch.no_grad()
def _run(arguments: Namespace, team: Team) -> None:
    check_count("--samples", arguments.samples, 1, 10_000)
    source = data_named(arguments)
    check_outside(arguments.out, source and source.data)
    denoiser, prior = load_model(arguments)
    by_operator = arguments.operator is not None or arguments.route == "operator"
    set_steps(parser(), arguments, "multistep" if by_operator else "ancestral")
    built = parser().instantiate(arguments)
    operator = _operator(built.operator, arguments.operator_severity)
    channels, height, width = prior.sample(1).shape[1:]
    found = read_degraded(arguments.input, (channels, height, width), arguments.out)
    for note in found.notes:
        print(note)
    for name, reason in found.failed.items():
        print(f"left out: {in_one_line(name)}: {in_one_line(reason)}")
    needed = operator is not None or arguments.severity is None
    data = _data(arguments, (channels, height, width), needed)
    comparison = _comparison(arguments, found, "" if data is None else data.name)
    count = len(found.images)
    severity = "to be estimated" if arguments.severity is None else arguments.severity
    way = "another operator" if operator else f"severity {severity}"
    print(f"{count} images, {arguments.samples} samples each, {way}, to {arguments.out}")
    if arguments.dry_run:
        return
    asked = {
        "arguments": {
            name: value
            for name, value in yaml.safe_load(parser().dump(arguments)).items()
            if name not in _ASIDE
        },
        "model": model_digest(arguments.model),
    }
    digests = dict(zip(found.names, found.digests, strict=True))
    with ExitStack() as stack:
        work = Unfinished(arguments.out, asked, {}, [])
        if team.is_first:
            work = stack.enter_context(claimed(arguments.out, asked, digests))
        work.rows = team.each(work.rows)[0]
        task = _Task(arguments, denoiser, built.sampler, operator, data, found, comparison, team)
        with naming_flags():
            task.do(work)
        if team.is_first:
            pixels = found.images[0].numel()
            finish(work, denoiser.process, pixels, found.failed, comparison)
    if found.failed and team.is_first:  # it alone has finished, and ends with the others
        name, reason = next(iter(found.failed.items()))
        raise ValueError(
            f"{len(found.failed)} of {count + len(found.failed)} files were left out, {count} are "
            f"restored in {arguments.out}: {in_one_line(name)}: {in_one_line(reason)}"
        )


class _Task:
    """The images of one call of the command, restored part by part."""

    def __init__(
        self,
        arguments: Namespace,
        denoiser: BaseDenoiser,
        sampler: Callable[[SoftDiffusion, BaseDenoiser], Sampler] | None,
        operator: LinearOperator | None,
        data: Images | None,
        found: Degraded,
        comparison: Comparison | None,
        team: Team,
    ) -> None:
        self.arguments = arguments
        self.denoiser = denoiser
        self.sampler = sampler
        self.operator = operator
        self.data = data
        self.found = found
        self.comparison = comparison
        self.team = team
        self.y = found.images.to(arguments.device)

    def do(self, work: Unfinished) -> None:
        """Restores what is not done yet; what is written in a part is in the report after it."""
        most = self.arguments.batch_size // self.arguments.samples
        size = self.team.size(len(self.y), max(_SHOWN, most))
        parts = torch.arange(len(self.y)).split(size)
        open_parts = [
            part for part in parts if any(self.found.names[k] not in work.rows for k in part)
        ]
        if not open_parts:
            return
        plan = self._plan()
        for turn in range(0, len(open_parts), self.team.count):
            place = turn + self.team.index
            mine = self._restored(plan, open_parts[place]) if place < len(open_parts) else {}
            for rows in self.team.each(mine):
                work.rows |= rows
            order = [name for name in self.found.names if name in work.rows]
            work.rows = {name: work.rows[name] for name in order}
            work.warnings = list(plan.warnings)
            if self.team.is_first:
                work.save()

    def _plan(self) -> Plan:
        """How all images will be restored."""
        arguments, process = self.arguments, self.denoiser.process
        data = None if self.data is None else Recipe.measured(self.data).tensor().to(self.y)
        sigma_y = arguments.sigma_y
        unknown = data is None or process.corruption.transform is None
        if sigma_y is None and (self.operator is not None or unknown):
            noisy = self.operator is not None or process.sigma(1.0) > 0
            sigma_y = ROUNDING if noisy else 0.0
        return make_plan(
            self.denoiser,
            self.y,
            severity=arguments.severity,
            sigma_y=sigma_y,
            operator=self.operator,
            data=data,
            route=arguments.route,
            dps_step=arguments.dps_step,
        )

    def _restored(self, plan: Plan, index: Tensor) -> dict[str, Any]:
        """Restores and writes some of the images; returns their rows of the report."""
        y, names = self.y[index], [self.found.names[k] for k in index]
        plan = plan.part(self.denoiser.process, index)

        def follow_by(sampler: Any, samples: int, progress: bool) -> Restoration:
            return follow(
                plan,
                self.denoiser,
                y,
                sampler=sampler,
                samples=samples,
                dps_step=self.arguments.dps_step,
                generator=generators(self.arguments.seed, [self.found.positions[k] for k in index]),
                batch_size=self.arguments.batch_size,
                progress=progress,
            )

        shows = self.arguments.progress and self.team.is_first
        found = follow_by(self.sampler, self.arguments.samples, shows)
        once = partial(DeterministicSampler, times=[1.0])
        pictures = {
            "degraded": y,
            **_classical(plan, self.denoiser.process, y),
            "one step": follow_by(once, 1, False).samples[0],
            "sample": found.samples[0],
            "mean": found.mean,
        }
        pictures = {name: images.cpu().clamp(-1, 1) for name, images in pictures.items()}
        self._draw(found, pictures, names, first=int(index[0]) == 0)
        digests = [self.found.digests[k] for k in index]
        rows = rows_of(names, digests, found, plan.sigma_t)
        if self.comparison is not None:
            for name, quality in zip(names, self.comparison.of(pictures, index), strict=True):
                rows[name]["quality"] = quality
        return rows

    def _draw(
        self, found: Restoration, pictures: dict[str, Tensor], names: list[str], first: bool
    ) -> None:
        out = self.arguments.out
        save_images(pictures["sample"], out / "restored", names)
        save_images(pictures["mean"], out / "mean", names)
        for index, name in enumerate(names):
            save_grid(found.samples[:, index].cpu(), out / "samples" / f"{name}.png")
        if len(found.samples) > 1:
            # Black is certain, and white a standard deviation of half the range.
            save_images(2 * found.std.cpu() - 1, out / "std", names)
        if first:
            if self.comparison is not None:
                pictures = pictures | {"original": self.comparison.originals[: len(names)]}
            frames = torch.stack([images[:_SHOWN] for images in pictures.values()])
            save_strip(frames, out / "baselines.png", list(pictures))


def _operator(corruption: Corruption | None, severity: float | None) -> LinearOperator | None:
    if (corruption is None) != (severity is None):
        raise ValueError(
            "--operator names a corruption and --operator_severity says how strong it is; give "
            "both of them, or none."
        )
    return None if corruption is None else corruption.at(severity)  # type: ignore[arg-type]


def _data(arguments: Namespace, shape: tuple[int, ...], needed: bool) -> Images | None:
    """The data of the recipe, in the model's shape; None where they can be done without."""
    source = data_named(arguments)
    if source is None and (needed or arguments.route == "operator"):
        raise ValueError(
            "No recipe lies beside the model, so name its data with --data: without a --severity, "
            "or for an operator, their spectrum is needed."
        )
    try:
        data = None if source is None else source.open()
    except (OSError, ValueError):  # gone, or changed since
        if needed or arguments.data is not None:
            raise
        return None
    if data is not None and data.shape != shape:
        raise ValueError(
            f"The data {data.name} have the shape {data.shape}, but the model makes images of "
            f"{shape}; give --size {shape[1]} and --channels {shape[0]}, or other --data."
        )
    return data


def _comparison(arguments: Namespace, found: Degraded, data: str) -> Comparison | None:
    """What measures against the originals, if there are any; says what can't be measured."""
    if arguments.originals is None:
        return None
    channels, height, width = found.images.shape[1:]
    shape = (channels, height, width)
    comparison = Comparison(
        read_originals(arguments.originals, found.names, shape, arguments.out), data
    )
    for reason in comparison.left_out.values():
        print(reason)
    return comparison


def _classical(plan: Plan, process: SoftDiffusion, y: Tensor) -> dict[str, Tensor]:
    """What classical methods make of the images, one by one, since each has its own noise."""
    found: dict[str, list[Tensor]] = {"pseudo-inverse": [], "Wiener": []}
    for k in range(len(y)):
        image, own = y[k : k + 1], plan.part(process, torch.tensor([k]))
        sigma_y = float(own.sigma_y)
        found["pseudo-inverse"].append(pseudo_inverse(own.operator, image, sigma_y))
        if plan.linear is not None:
            found["Wiener"].append(wiener(plan.linear, own.operator, image, sigma_y))
    return {name: torch.cat(images) for name, images in found.items() if images}
