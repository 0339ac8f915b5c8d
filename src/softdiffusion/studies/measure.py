"""Measuring one trained model of a study."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data import Images, Part, Source, measured
from ..denoisers import BaseDenoiser
from ..files import check_writable
from ..priors import DataPrior, GaussianPrior, MixturePrior, Prior
from ..random import generators
from ..saving import load
from ..training import RECIPE, processes
from .arm import Start
from .drawing import build_sampler
from .machine import machine
from .modules import importable
from .rows import Rows
from .study import Arm, Evaluation, Study, read_mapping
from .yardstick import Yardstick

__all__ = ["measure"]

#: The images of the picture of an evaluation.
_SHOWN = 64

_BATCH = 250


def measure(study: Study, arm: Arm, seed: int, runs: str | Path) -> None:
    """Draws samples in every way the arm asks for, and adds a row for each.

    What was measured before is left as it is. The samples' noise is the same for all arms. The
    model runs where it would be trained: on a GPU, if there is one.

    Arguments:
        study: The study; rows and pictures go to its folder.
        arm: The arm.
        seed: The seed that it was trained with; it is the seed of the samples, too.
        runs: The folder of all trainings.

    Raises:
        ValueError: If no number of steps makes the calls that an evaluation asks for, the model was
            trained by another recipe, or rows were made by another, or with other numbers of
            samples or images, a distance is no finite number, or nothing can be written.
    """
    rows = Rows(study.folder / "rows.jsonl")
    done = rows.keys(study)
    wanted = [
        (evaluation, calls)
        for evaluation in arm.evaluations
        for calls in evaluation.calls
        if (arm.name, seed, evaluation.label, calls) not in done
    ]
    if not wanted:
        return
    if rows.cut_off:
        print(f"the last row of {rows.path} was cut off by a stop, and is measured again")
    check_writable(study.folder)
    runs = Path(runs)
    study.check_run(runs, arm, seed)
    with importable(study.path.parent, study.trust), torch.no_grad():
        _measure(study, arm, seed, study.run_folder(runs, arm, seed), rows, wanted)


def _measure(
    study: Study,
    arm: Arm,
    seed: int,
    run: Path,
    rows: Rows,
    wanted: Sequence[tuple[Evaluation, int]],
) -> None:
    device = processes().device
    denoiser, prior = load(run / "final", device, trust=list(study.trust))
    recipe = read_mapping(run / RECIPE)  # as trained, with all defaults
    if missing := {"data", "size", "channels"} - recipe.keys():
        raise ValueError(
            f"{run / RECIPE} does not say {', '.join(sorted(missing))}; restore it from a copy, or "
            f"delete {run} to train anew."
        )
    source = Source.of(recipe)
    train, test = source.open("train"), source.open("test")
    yardstick = Yardstick(train, test, study.samples, device)
    starts: dict[Start, Prior] = {}
    for evaluation, calls in wanted:
        if (arm.name, seed, evaluation.label, calls) in rows.keys(study):
            continue  # measured by another process by now
        sampler = build_sampler(arm.recipe, evaluation, calls, denoiser)
        if evaluation.start not in starts:
            starts[evaluation.start] = _start(evaluation.start, prior, denoiser, train, arm.name)
        start = starts[evaluation.start]
        noise = generators(seed, range(study.samples))
        clock = time.perf_counter()
        x1 = start.sample(study.samples, noise, device=device)
        images = sampler(x1, noise, batch_size=_BATCH).clamp(-1, 1).cpu()
        seconds = time.perf_counter() - clock
        row: dict[str, Any] = {
            "arm": arm.name,
            "seed": seed,
            "evaluation": evaluation.label,
            "calls": calls,
            "nfe": sampler.nfe,
            **_distances(yardstick, images, arm, evaluation),
            "images": arm.recipe["images"],
            "setting": arm.setting(evaluation),
            "sampling_seconds": round(seconds, 3),
            **machine(device),
        }
        _save_picture(images[:_SHOWN], study, arm, seed, evaluation, calls)
        if rows.append(row):
            print(
                f"{arm.name}, seed {seed}, {evaluation.label}, {calls} calls: Fréchet distance "
                f"{row['frechet']:.2f} ± {row['frechet_error']:.2f} (floor {row['floor']:.2f})",
                flush=True,
            )


def _distances(
    yardstick: Yardstick, images: Tensor, arm: Arm, evaluation: Evaluation
) -> dict[str, Any]:
    """The part of a row that says how far the images are."""
    broken = int((~images.flatten(1).isfinite().all(dim=1)).sum())
    if broken:
        raise ValueError(
            f"{broken:,} of {len(images):,} samples of {arm.name} by {evaluation.label} are not "
            "finite, and so have no distance; train it otherwise, or take the evaluation out."
        )
    found = yardstick(images)
    for name, value in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(
                f"The {name} of {arm.name} by {evaluation.label} is {value}, no number to compare; "
                "ask for more samples, or take the evaluation out."
            )
    return found


def _start(
    start: Start, saved: Prior | None, denoiser: BaseDenoiser, train: Images, arm: str
) -> Prior:
    if start == "model":
        if saved is None:
            raise ValueError(f"The model of {arm} was saved without a start; name one to fit.")
        return saved
    process = denoiser.process
    if start == "data":
        return DataPrior(process, train.tensor())
    images = Part(train, measured(len(train)))
    return (GaussianPrior if start == "gaussian" else MixturePrior).fit(process, images)


def _save_picture(
    images: Tensor, study: Study, arm: Arm, seed: int, evaluation: Evaluation, calls: int
) -> None:
    if seed == arm.seeds[0]:
        from ..plots import save_grid

        save_grid(images, study.picture(arm.name, evaluation.label, calls))
