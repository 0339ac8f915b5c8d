"""Running a study: every arm is trained and then measured, each in a process of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import yaml

from .rows import Rows
from .study import Arm, Study

__all__ = ["run_study"]


def run_study(
    study: Study,
    runs: Path,
    measure: Callable[[Arm, int], Sequence[str]],
    *,
    jobs: int = 1,
    threads: int = 1,
    only: Sequence[str] = (),
) -> None:
    """Trains and measures all arms; called again after a stop, it goes on where it was.

    A finished training is not repeated, a half-trained one goes on from its last checkpoint, and
    rows that exist are kept. The first arm that fails stops the study, once the arms beside it
    have ended.

    Arguments:
        study: The study.
        runs: The folder for trainings, one folder an arm and seed.
        measure: Gives the arguments of the command that measures an arm trained with a seed.
        jobs: Trainings side by side, >= 1.
        threads: Cores of each of them, >= 1.
        only: Names of the arms to run; all if empty.

    Raises:
        ValueError: If an arm is unknown, `jobs` or `threads` is below 1, or a training or a
            measurement fails.
    """
    if min(jobs, threads) < 1:
        raise ValueError(f"jobs and threads must be at least 1, but are {jobs} and {threads}.")
    arms = study.chosen(only)
    # Seed after seed, so that a study that is stopped early has every arm once.
    rounds = range(max(len(arm.seeds) for arm in arms))
    work = [(arm, arm.seeds[i]) for i in rounds for arm in arms if i < len(arm.seeds)]
    with ThreadPoolExecutor(jobs) as pool:
        task = partial(_train_and_measure, study, runs, measure, threads)
        futures = [pool.submit(task, arm, seed) for arm, seed in work]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _train_and_measure(
    study: Study,
    runs: Path,
    measure: Callable[[Arm, int], Sequence[str]],
    threads: int,
    arm: Arm,
    seed: int,
) -> None:
    run = study.run_folder(runs, arm, seed)
    wanted = {(arm.name, seed, e.label, calls) for e in arm.evaluations for calls in e.calls}
    if wanted <= Rows(study.folder / "rows.jsonl").keys():
        print(f"{arm.name}, seed {seed}: measured before", flush=True)
        return
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "final").is_dir():
        print(f"{arm.name}, seed {seed}: training", flush=True)
        recipe = run / "arm.yaml"
        recipe.write_text(yaml.safe_dump(dict(arm.recipe), sort_keys=False))
        train = ["train", "--config", str(recipe), "--seed", str(seed), "--out", str(run)]
        _command([*train, "--progress", "false"], study, threads, run)
    losses = study.folder / "losses"
    losses.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "stats.jsonl", losses / f"{arm.name}-{seed}.jsonl")
    _command(measure(arm, seed), study, threads, run)


def _command(arguments: Sequence[str], study: Study, threads: int, run: Path) -> None:
    """Runs `softdiffusion` on so many cores; what it prints goes to `log.txt`."""
    modules = [
        str(study.path.parent.resolve()),
        *os.environ.get("PYTHONPATH", "").split(os.pathsep),
    ]
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(filter(None, modules)),
    }
    with (run / "log.txt").open("a") as log:
        command = [sys.executable, "-m", "softdiffusion.cli.main", *arguments]
        code = subprocess.run(command, env=environment, stdout=log, stderr=log).returncode
    if code:
        last = (run / "log.txt").read_text().strip().splitlines()[-1:]
        raise ValueError(
            f"The command {arguments[0]!r} of {run.parent.name}, {run.name} failed: "
            f"{' '.join(last)} (more in {run / 'log.txt'}); the same command goes on from here."
        )
