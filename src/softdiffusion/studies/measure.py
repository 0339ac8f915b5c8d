"""Measuring one trained model of a study."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import samplers
from ..data import Images, measured, open
from ..denoisers import BaseDenoiser
from ..presets import named
from ..priors import DataPrior, GaussianPrior, MixturePrior, Prior
from ..random import generators
from ..samplers import Sampler
from ..saving import load
from ..training import RECIPE, processes
from .machine import machine
from .rows import Rows
from .study import Arm, Evaluation, Start, Study, read_mapping
from .yardstick import Yardstick

__all__ = ["measure"]

#: The images of the picture of an evaluation.
_SHOWN = 64

_BATCH = 250


@torch.no_grad()
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
            samples or images.
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
    runs = Path(runs)
    study.check_run(runs, arm, seed)
    run = study.run_folder(runs, arm, seed)
    device = processes().device
    denoiser, prior = load(run / "final", device, trust=list(study.trust))
    recipe = read_mapping(run / RECIPE)  # as trained, with all defaults
    name, size, channels = recipe["data"], recipe["size"], recipe["channels"]
    train, test = (
        open(name, split=split, size=size, channels=channels) for split in ("train", "test")
    )
    yardstick = Yardstick(train, test, study.samples, device)
    starts: dict[Start, Prior] = {}
    for evaluation, calls in wanted:
        if (arm.name, seed, evaluation.label, calls) in rows.keys(study):
            continue  # measured by another process by now
        sampler = _sampler(arm, evaluation, calls, denoiser)
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
            **yardstick(images),
            "images": arm.recipe["images"],
            "setting": arm.setting(evaluation),
            "sampling_seconds": round(seconds, 3),
            **machine(device),
        }
        _save_picture(images[:_SHOWN], study, arm, seed, evaluation, calls)
        rows.append(row)
        print(
            f"{arm.name}, seed {seed}, {evaluation.label}, {calls} calls: Fréchet distance "
            f"{row['frechet']:.2f} ± {row['frechet_error']:.2f} (floor {row['floor']:.2f})",
            flush=True,
        )


def _sampler(arm: Arm, evaluation: Evaluation, calls: int, denoiser: BaseDenoiser) -> Sampler:
    """The sampler with the largest number of steps that makes no more than so many calls."""
    build = _kind(arm, evaluation.sampler, denoiser)
    for steps in range(calls, 0, -1):
        sampler = build(steps=steps, **evaluation.options)
        if sampler.nfe <= calls:
            return sampler
    raise ValueError(
        f"{evaluation.sampler} makes more than {calls} calls even in one step; ask for more."
    )


def _kind(arm: Arm, name: str, denoiser: BaseDenoiser) -> Callable[..., Sampler]:
    """What builds the sampler of this name from its options."""
    if name == "own":
        return partial(named(arm.recipe["preset"]).sampler, denoiser)
    return partial(getattr(samplers, name), denoiser.process, denoiser)


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
    images = train.batch(measured(len(train)))
    return (GaussianPrior if start == "gaussian" else MixturePrior).fit(process, images)


def _save_picture(
    images: Tensor, study: Study, arm: Arm, seed: int, evaluation: Evaluation, calls: int
) -> None:
    if seed == arm.seeds[0]:
        from ..plots import save_grid

        save_grid(images, study.picture(arm.name, evaluation.label, calls))
