"""The processes of a study."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from softdiffusion.studies import Study
from softdiffusion.studies.commands import Commands

STUDY = Path(__file__).parents[3] / "studies" / "headline" / "study.yaml"


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    """A study whose commands say which GPUs they see, after a moment side by side."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nsleep 0.3\necho "$CUDA_VISIBLE_DEVICES;"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return Study.read(STUDY)


@pytest.mark.parametrize(
    ("gpus", "visible", "jobs", "seen"),
    [
        (2, None, 2, {"0;", "1;"}),
        (2, "5,7", 2, {"5;", "7;"}),
        (2, "5,7", 4, {"5;", "7;"}),
        (2, "5,7", 1, {"5;"}),
        (0, None, 2, {";"}),
    ],
)
def test_jobs_are_spread_over_the_gpus(study, tmp_path, monkeypatch, gpus, visible, jobs, seen):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    commands = Commands(study, jobs, threads=1)
    runs = [tmp_path / f"{index}" for index in range(jobs)]
    for run in runs:
        run.mkdir()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda run: commands.run([], run), runs))
    assert {(run / "log.txt").read_text().strip() for run in runs} == seen


@pytest.mark.parametrize(
    ("printed", "code", "message"),
    [
        ("", 1, "failed: it printed nothing (more in"),
        ("one\\n\\n  two  three \\n\\n", 1, "failed: two three (more in"),
        ("\\377\\376 four\\n", 2, "failed: \ufffd\ufffd four (more in"),
        ("saved at 10 images\\n", 143, "was stopped; the same command goes on from here"),
        ("saved at 10 images\\n", 130, "was stopped; the same command goes on from here"),
    ],
)
def test_a_command_that_fails_says_its_last_line(study, tmp_path, printed, code, message):
    (tmp_path / "python").write_text(f"#!/bin/sh\nprintf '{printed}'\nexit {code}\n")
    run = tmp_path / "soft" / "seed-0"
    run.mkdir(parents=True)
    with pytest.raises(ValueError, match="The command 'train' of soft, seed-0") as error:
        Commands(study, jobs=1, threads=1).run(["train"], run)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("heeds", [True, False])
def test_commands_that_are_stopped_end_whether_they_heed_it_or_not(
    study, tmp_path, monkeypatch, heeds
):
    monkeypatch.setattr("softdiffusion.studies.commands.GRACE", 0.5)
    ignore = "" if heeds else "trap '' TERM\n"
    (tmp_path / "python").write_text(f"#!/bin/sh\n{ignore}echo started\nexec sleep 60\n")
    commands = Commands(study, jobs=1, threads=1)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(commands.run, ["train"], tmp_path)
        log = tmp_path / "log.txt"
        while not commands.processes or not log.read_text():
            assert not ended.done()
            time.sleep(0.01)
        (process,) = commands.processes
        commands.stop()
        with pytest.raises(ValueError, match="was stopped" if heeds else "ended by signal 9"):
            ended.result()
    assert process.poll() is not None
    with pytest.raises(ValueError, match="The study was stopped"):
        commands.run(["train"], tmp_path)


def test_a_process_ends_when_the_one_that_holds_its_pipe_does():
    sleeper = (
        "import time; from softdiffusion.studies import end_with_parent; end_with_parent(); "
        "print('watching', flush=True); time.sleep(100)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", sleeper], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == b"watching\n"
        assert process.poll() is None
        process.stdin.close()  # as the system does for a process that was killed
        assert process.wait(timeout=60) == -signal.SIGTERM
