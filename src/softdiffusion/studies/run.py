"""Running a study: every arm is trained and then measured, each in a process of its own."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import yaml

from ..data import Source
from ..files import check_writable, drafted, locked, read_bytes, write_text
from ..training import RECIPE, alone
from .commands import Commands
from .fields import whole
from .lifeline import GRACE
from .modules import check_modules
from .rows import Key, Rows
from .study import ARM, Arm, Study
from .yardstick import Yardstick

__all__ = ["check_work", "missing_work", "run_study"]

#: Held by the study that trains and measures an arm, in the folder of its run.
_LOCK = ".study.lock"

#: No machine has more cores.
_MOST_THREADS = 4096


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
    have ended; a stop by Ctrl-C, or by another exception that is no error, stops them at once, and
    so does the end of this process, however it comes. Studies that run at the same time share the
    arms: what another one has begun is left to it.

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
            below 1, a folder or rows were made by another recipe, nothing can be written, a trusted
            module is missing, or a training or a measurement fails.
        FileNotFoundError: If data are missing.
        ImportError: If optional packages are missing that the data or the measurement need.
    """
    if min(jobs, threads) < 1:
        raise ValueError(f"jobs and threads must be at least 1, but are {jobs} and {threads}.")
    whole("threads", threads, 1, _MOST_THREADS)
    runs = Path(runs)
    work = study.trainings(only, seeds)
    check_work(study, runs, work)
    jobs = min(jobs, len(work))
    commands = Commands(study, jobs, threads)
    task = partial(_train_and_measure, study, runs, measure, commands)
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = [pool.submit(task, arm, seed) for arm, seed in work]
        try:
            for future in as_completed(futures):
                future.result()
        except Exception:
            pool.shutdown(cancel_futures=True)  # the arms beside the one that failed end first
            raise
    except BaseException as reason:
        pool.shutdown(wait=False, cancel_futures=True)
        if not isinstance(reason, Exception):
            commands.stop()
        raise
    finally:
        pool.shutdown()


def check_work(study: Study, runs: Path, work: Sequence[tuple[Arm, int]]) -> None:
    """Raises, before the first training, for what would fail after it."""
    missing = missing_work(study, work)
    for arm, seed in missing:
        study.check_run(runs, arm, seed)
    if not missing:
        return
    check_modules(study.path.parent, study.trust, [arm.recipe for arm, _ in missing])
    check_writable(runs)
    check_writable(study.folder)
    for source in {Source.of(arm.recipe) for arm, _ in missing}:
        train, _ = source.open("train"), source.open("test")
        Yardstick.check(train)


def missing_work(study: Study, work: Sequence[tuple[Arm, int]]) -> list[tuple[Arm, int]]:
    """The arms and seeds of which something is not measured yet."""
    done = Rows(study.folder / "rows.jsonl").keys(study)
    return [(arm, seed) for arm, seed in work if not _keys(arm, seed) <= done]


def _keys(arm: Arm, seed: int) -> set[Key]:
    """What is measured of an arm trained with a seed."""
    return {(arm.name, seed, e.label, calls) for e in arm.evaluations for calls in e.calls}


def _train_and_measure(
    study: Study,
    runs: Path,
    measure: Callable[[Arm, int], Sequence[str]],
    commands: Commands,
    arm: Arm,
    seed: int,
) -> None:
    run = study.run_folder(runs, arm, seed)
    if _keys(arm, seed) <= Rows(study.folder / "rows.jsonl").keys(study):
        print(f"{arm.name}, seed {seed}: measured before", flush=True)
        return
    with ExitStack() as claim:
        try:
            claim.enter_context(locked(run / _LOCK, timeout=0))
        except ValueError:
            print(f"{arm.name}, seed {seed}: left to another study, which has it now", flush=True)
            return
        study.check_run(runs, arm, seed)
        recipe = run / ARM
        write_text(recipe, yaml.safe_dump(dict(arm.recipe), sort_keys=False))
        if not (run / RECIPE).is_file():  # what a training writes last
            _wait_for(run, commands)
            print(f"{arm.name}, seed {seed}: training", flush=True)
            train = ["train", "--config", str(recipe), "--seed", str(seed), "--out", str(run)]
            commands.run([*train, "--progress", "false"], run)
        _copy(run / "stats.jsonl", study.losses(arm.name, seed))
        commands.run(measure(arm, seed), run)


def _wait_for(run: Path, commands: Commands) -> None:
    """Waits for the training of a study that was killed, which saves what it has and then ends."""
    deadline = time.monotonic() + GRACE
    while True:
        try:
            with alone(run):
                return
        except ValueError:
            if time.monotonic() > deadline or commands.stopped.wait(0.1):
                raise


def _copy(source: Path, target: Path) -> None:
    content = read_bytes(source)
    with drafted(target) as draft:
        draft.write_bytes(content)
