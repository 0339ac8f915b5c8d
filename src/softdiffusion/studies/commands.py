"""Commands that a study runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock

import torch

from .lifeline import GRACE
from .study import Study

__all__ = ["Commands"]

#: How a command ends that was stopped.
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM)

#: The end of a log that is searched for its last line, in bytes.
_TAIL = 65_536


class Commands:
    """Runs `softdiffusion` in processes of its own, until stopped.

    They end with this process, even if it is killed. The folder that it runs in is none that they
    import from, nor is the study's, but for the modules that the study trusts.

    Arguments:
        study: The study.
        jobs: Processes side by side, >= 1. They are spread over the GPUs, if there are some.
        threads: Cores of each process, >= 1.
    """

    def __init__(self, study: Study, jobs: int, threads: int) -> None:
        # An empty entry stands for the folder that a process runs in.
        modules = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        self.environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join(modules),
            "PYTHONSAFEPATH": "1",
            "PYTHONIOENCODING": "utf-8:backslashreplace",
        }
        self.command = (sys.executable, "-m", "softdiffusion.cli.child")
        self.own = (str(study.path.parent), ",".join(study.trust))
        self.gpus: SimpleQueue[str] = SimpleQueue()
        for job in range(jobs):
            self.gpus.put(_gpu(job))
        self.lock = Lock()  # so that no process starts unseen while the others are stopped
        self.processes: set[subprocess.Popen[bytes]] = set()
        self.stopped = Event()

    def run(self, arguments: Sequence[str], run: Path) -> None:
        """Runs one command to its end.

        Arguments:
            arguments: What follows `softdiffusion`.
            run: The folder of its run; what it prints goes to `log.txt` there.

        Raises:
            ValueError: If it fails, or is stopped.
        """
        command = [*self.command, *self.own, *arguments]
        gpu = self.gpus.get()
        try:
            code = self._run(command, gpu, run)
        finally:
            self.gpus.put(gpu)
        if code:
            log = run / "log.txt"
            reason = _last_line(log) if code > 0 else f"it was ended by signal {-code}"
            what = f"The command {arguments[0]!r} of {run.parent.name}, {run.name}"
            if code in _STOPPED:
                raise ValueError(f"{what} was stopped; the same command goes on from here.")
            raise ValueError(
                f"{what} failed: {reason} (more in {log}); the same command goes on from here."
            )

    def _run(self, command: list[str], gpu: str, run: Path) -> int:
        environment = self.environment | {"CUDA_VISIBLE_DEVICES": gpu}
        with (run / "log.txt").open("ab") as log:
            with self.lock:
                if self.stopped.is_set():
                    raise ValueError("The study was stopped.")
                # In a session of its own, it hears a Ctrl-C once, from here, and not twice.
                process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                self.processes.add(process)
            with process:  # which closes the pipe at its end
                code = process.wait()
            with self.lock:
                self.processes.remove(process)
        return code

    def stop(self) -> None:
        """Ends the processes that run, and lets no other begin.

        They have a minute to save what they have; a second interruption kills them at once.
        """
        with self.lock:
            self.stopped.set()
            running = tuple(self.processes)
        try:
            for process in running:
                process.terminate()
            for process in running:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE)
        finally:
            for process in running:
                process.kill()


def _last_line(log: Path) -> str:
    """The last line that a command printed."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL))
        lines = file.read().decode("utf-8", "replace").split("\n")
    printed = (" ".join(line.split()) for line in reversed(lines))
    return next(filter(None, printed), "it printed nothing")


def _gpu(job: int) -> str:
    """The GPU of a process, as CUDA_VISIBLE_DEVICES names it; empty where there is none."""
    count = torch.cuda.device_count()
    if not count:
        return ""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = named.split(",") if named else [str(index) for index in range(count)]
    return visible[job % count]
