"""The processes of a study."""

import sys
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
