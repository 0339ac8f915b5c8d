"""Commands that a study runs."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

import torch

from .study import Study

__all__ = ["Commands"]


class Commands:
    """Runs `softdiffusion` in processes of its own, until stopped.

    Arguments:
        study: The study; modules that lie beside its file can be imported.
        jobs: Processes side by side, >= 1. They are spread over the GPUs, if there are some.
        threads: Cores of each process, >= 1.
    """

    def __init__(self, study: Study, jobs: int, threads: int) -> None:
        modules = [
            str(study.path.parent.resolve()),
            *os.environ.get("PYTHONPATH", "").split(os.pathsep),
        ]
        self.environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join(filter(None, modules)),
        }
        self.gpus: SimpleQueue[str] = SimpleQueue()
        for job in range(jobs):
            self.gpus.put(_gpu(job))
        self.lock = Lock()  # so that no process starts unseen while the others are stopped
        self.processes: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    def run(self, arguments: Sequence[str], run: Path) -> None:
        """Runs one command to its end.

        Arguments:
            arguments: What follows `softdiffusion`.
            run: The folder of its run; what it prints goes to `log.txt` there.

        Raises:
            ValueError: If it fails, or the study was stopped.
        """
        command = [sys.executable, "-m", "softdiffusion.cli.main", *arguments]
        gpu = self.gpus.get()
        try:
            code = self._run(command, gpu, run)
        finally:
            self.gpus.put(gpu)
        if code:
            last = (run / "log.txt").read_text().strip().splitlines()[-1:]
            reason = " ".join(last) if code > 0 else f"it was ended by signal {-code}"
            raise ValueError(
                f"The command {arguments[0]!r} of {run.parent.name}, {run.name} failed: "
                f"{reason} (more in {run / 'log.txt'}); the same command goes on from here."
            )

    def _run(self, command: list[str], gpu: str, run: Path) -> int:
        environment = self.environment | {"CUDA_VISIBLE_DEVICES": gpu}
        with (run / "log.txt").open("a") as log:
            with self.lock:
                if self.stopped:
                    raise ValueError("The study was stopped.")
                process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
                self.processes.add(process)
            code = process.wait()
            self.processes.remove(process)
        return code

    def stop(self) -> None:
        """Ends the processes that run, and lets no other begin."""
        with self.lock:
            self.stopped = True
            for process in tuple(self.processes):
                process.terminate()


def _gpu(job: int) -> str:
    """The GPU of a process, as CUDA_VISIBLE_DEVICES names it; empty where there is none."""
    count = torch.cuda.device_count()
    if not count:
        return ""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = named.split(",") if named else [str(index) for index in range(count)]
    return visible[job % count]
