"""Running a study: every arm is trained and then measured, each in a process of its own."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import yaml

from ..training import RECIPE
from .commands import Commands
from .rows import Rows
from .study import ARM, Arm, Study

__all__ = ["run_study"]


def run_study(
    study: Study,
    runs: str | Path,
    measure: Callable[[Arm, int], Sequence[str]],
    *,
    jobs: int = 1,
    threads: int = 1,
    only: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> None:
    """Trains and measures all arms; called again after a stop, it goes on where it was.

    A finished training is not repeated, a half-trained one goes on from its last checkpoint, and
    rows that exist are kept. The first arm that fails stops the study, once the arms beside it
    have ended; a stop by Ctrl-C, or by another exception that is no error, stops them at once.

    Arguments:
        study: The study.
        runs: The folder for trainings, one folder an arm and seed.
        measure: Gives the arguments of the command that measures an arm trained with a seed.
        jobs: Trainings side by side, >= 1.
        threads: Cores of each of them, >= 1.
        only: Names of the arms to run; all if empty.
        seeds: Seeds to run them with; all of their own if empty.

    Raises:
        ValueError: If an arm is unknown, none of them has one of the seeds, `jobs` or `threads` is
            below 1, a folder or rows were made by another recipe, or a training or a measurement
            fails.
    """
    if min(jobs, threads) < 1:
        raise ValueError(f"jobs and threads must be at least 1, but are {jobs} and {threads}.")
    work = study.trainings(only, seeds)
    commands = Commands(study, jobs, threads)
    with ThreadPoolExecutor(jobs) as pool:
        task = partial(_train_and_measure, study, Path(runs), measure, commands)
        futures = [pool.submit(task, arm, seed) for arm, seed in work]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException as reason:
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(reason, Exception):
                commands.stop()
            raise


def _train_and_measure(
    study: Study,
    runs: Path,
    measure: Callable[[Arm, int], Sequence[str]],
    commands: Commands,
    arm: Arm,
    seed: int,
) -> None:
    run = study.run_folder(runs, arm, seed)
    study.check_run(runs, arm, seed)
    wanted = {(arm.name, seed, e.label, calls) for e in arm.evaluations for calls in e.calls}
    if wanted <= Rows(study.folder / "rows.jsonl").keys(study):
        print(f"{arm.name}, seed {seed}: measured before", flush=True)
        return
    recipe = run / ARM
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(yaml.safe_dump(dict(arm.recipe), sort_keys=False))
    if not (run / RECIPE).is_file():  # what a training writes last
        print(f"{arm.name}, seed {seed}: training", flush=True)
        train = ["train", "--config", str(recipe), "--seed", str(seed), "--out", str(run)]
        commands.run([*train, "--progress", "false"], run)
    losses = study.losses(arm.name, seed)
    losses.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "stats.jsonl", losses)
    commands.run(measure(arm, seed), run)
