"""Running a study on a cluster: every arm is a job of its own, sent by submitit."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lifeline import GRACE
from .run import check_work, missing_work
from .study import Arm, Study

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

__all__ = ["submit_study"]

#: Minutes that a job may take, where the settings say nothing.
_DAY = 24 * 60


class Job:
    """A command of `softdiffusion` that runs on another machine.

    It is sent there by submitit, and sent once more when the machine is taken away from it or its
    time is up: it goes on after its last checkpoint.

    Arguments:
        arguments: What follows `softdiffusion`.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = list(arguments)

    def __call__(self) -> str:
        """Runs the command; returns its last words if it fails, and nothing otherwise."""
        self.running = subprocess.Popen(
            [sys.executable, "-m", "softdiffusion", *self.arguments],
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            preexec_fn=_deaf,
        )
        _, said = self.running.communicate()
        print(said, file=sys.stderr)
        *_, told = said.strip().splitlines() or [f"it ended with {self.running.returncode}"]
        return told.rstrip(".") if self.running.returncode else ""

    def checkpoint(self) -> "DelayedSubmission":
        """What submitit sends again, once the command has saved what it has."""
        from submitit.helpers import DelayedSubmission

        self.running.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.running.wait(GRACE)
        return DelayedSubmission(Job(self.arguments))


def _deaf() -> None:
    """Leaves the signals by which Slurm announces an end to submitit."""
    for signum in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_IGN)


def submit_study(
    study: Study,
    runs: str | Path,
    command: Callable[[Arm, int], Sequence[str]],
    *,
    cluster: str = "slurm",
    settings: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> None:
    """Sends every arm and seed that is not measured yet as a job, and waits for all of them.

    The jobs find the study, its runs and its rows in the folders that they share with this machine,
    and their logs go to `runs/.jobs`. An interruption of this process leaves them to themselves.
    The same command may come again: what is claimed by a job is left to it.

    Arguments:
        study: The study.
        runs: The folder for trainings, one folder an arm and seed.
        command: Gives the arguments of the command that runs one arm with a seed.
        cluster: What submitit calls the scheduler: "slurm", or "local" for processes of this
            machine, to try it out.
        settings: What is asked of the scheduler, by the names of submitit: `timeout_min` (default:
            a day), `slurm_partition`, `gpus_per_node`, `cpus_per_task`, `mem_gb`, ...
        only: Names of the arms to run; all if empty.
        seeds: Seeds to run them with; all of their own if empty.

    Raises:
        ImportError: If submitit is missing, or optional packages that the work needs.
        ValueError: If an arm is unknown, none of them has one of the seeds, there is no such
            scheduler or setting, a folder or rows were made by another recipe, nothing can be
            written, or a job fails; the others are waited for.
        FileNotFoundError: If data are missing.
    """
    try:
        import submitit
    except ImportError:
        raise ImportError(
            "A study on a cluster needs submitit: pip install 'softdiffusion[slurm]'."
        ) from None
    runs = Path(runs)
    work = study.trainings(only, seeds)
    check_work(study, runs, work)
    missing = missing_work(study, work)
    if not missing:
        print("all arms are measured")
        return
    logs = runs / ".jobs"
    try:
        executor = submitit.AutoExecutor(folder=logs, cluster=cluster)
        executor.update_parameters(**{"timeout_min": _DAY} | dict(settings or {}))
    except (RuntimeError, TypeError, ValueError, NameError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"The scheduler {cluster} can't be used as asked ({reason}); see --executor and "
            "--settings."
        ) from None
    jobs: list[tuple[Arm, int, Any]] = []
    for arm, seed in missing:
        executor.update_parameters(name=f"{study.path.parent.name}-{arm.name}-{seed}")
        try:
            job = executor.submit(Job(command(arm, seed)))
        except RuntimeError as error:  # submitit's
            raise ValueError(
                f"The scheduler refused the job of {arm.name}, seed {seed} "
                f"({' '.join(str(error).split()).rstrip('.')}), after {len(jobs)} others; see "
                "--settings."
            ) from None
        print(f"{arm.name}, seed {seed}: job {job.job_id}", flush=True)
        jobs.append((arm, seed, job))
    failed = []
    for arm, seed, job in jobs:
        try:
            reason = job.result()
        except submitit.core.utils.UncompletedJobError:
            reason = f"job {job.job_id} was lost"
        done = "left to another study" if missing_work(study, [(arm, seed)]) else "done"
        print(f"{arm.name}, seed {seed}: {f'failed: {reason}' if reason else done}", flush=True)
        failed += [f"{arm.name}, seed {seed}: {reason}"] * bool(reason)
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(jobs)} jobs failed, such as {failed[0]}; their logs are "
            f"in {logs}, and the same command goes on from here."
        )
