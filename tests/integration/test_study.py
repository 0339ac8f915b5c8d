"""A study runs from its file to its report, and goes on after a stop."""

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from softdiffusion.cli.main import main
from softdiffusion.studies import Rows

RECIPE = """
data: digits
size: 8
corruption: {class_path: softdiffusion.GaussianBlur}
schedule:
  class_path: softdiffusion.Schedule
  init_args:
    severity: {class_path: softdiffusion.schedules.Geometric, init_args: {start: 0.2, end: 4.0}}
    sigma: {class_path: softdiffusion.schedules.Geometric, init_args: {start: 0.02, end: 0.2}}
backbone:
  class_path: softdiffusion.SmallUNet
  init_args: {width: 8, multipliers: [1], attention: false}
"""
STUDY = """
title: Which loss?
recipe: base.yaml
images: 64
seeds: [0]
samples: 40
evaluations:
  - {sampler: MultistepSampler, calls: [2, 4]}
  - {sampler: HeunSampler, calls: [4], start: mixture}
arms:
  l2: {objective: {class_path: softdiffusion.CleanRegression}}
  soft:
    objective: {class_path: softdiffusion.SoftScoreMatching}
    backbone: {class_path: own.Network, init_args: {channels: 1}}
trust: [own]
"""
OWN = """
import torch

class Network(torch.nn.Conv2d):
    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, padding=1)
        self.channels = channels

    def forward(self, x, t):
        return super().forward(x)
"""


def test_a_study_goes_on_and_reports(tmp_path, monkeypatch, capsys):
    # Of what lies beside the study and where it runs, nothing is imported that it does not trust.
    monkeypatch.chdir(tmp_path)
    for name in ("random", "yaml", "tqdm", "PIL", "other"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger is imported')")
    (tmp_path / "base.yaml").write_text(RECIPE)
    study = tmp_path / "study.yaml"
    (tmp_path / "own.py").write_text(OWN)
    study.write_text(STUDY)
    run = ["study", "run", str(study), "--runs", str(tmp_path / "runs")]
    main([*run, "--arms", "[l2]"])
    rows = Rows(tmp_path / "rows.jsonl")
    first = list(rows)
    assert [(r["arm"], r["evaluation"], r["calls"], r["nfe"]) for r in first] == [
        ("l2", "multistep", 2, 2),
        ("l2", "multistep", 4, 4),
        ("l2", "heun", 4, 3),  # one step of two calls, and the prediction at the end
    ]
    # A row that is lost is measured again, and gives the same value; the rest stays.
    lines = rows.path.read_text().splitlines(keepends=True)
    rows.path.write_text("".join(lines[:1]))
    trained = (tmp_path / "runs" / "l2" / "seed-0" / "final" / "ema.safetensors").stat().st_mtime_ns
    main([*run, "--jobs", "2"])
    assert (
        f"the study trusts own, whose code is run: {tmp_path / 'own.py'}" in capsys.readouterr().out
    )
    again = list(rows)
    assert again[0] == first[0]
    values = {(r["arm"], r["evaluation"], r["calls"]): r["frechet"] for r in again}
    assert len(values) == len(again) == 6
    assert all(values[r["arm"], r["evaluation"], r["calls"]] == r["frechet"] for r in first)
    final = tmp_path / "runs" / "l2" / "seed-0" / "final" / "ema.safetensors"
    assert final.stat().st_mtime_ns == trained

    main(["study", "report", str(study)])
    table = (tmp_path / "report.md").read_text()
    assert "| arm | heun, 4 | multistep, 2 | multistep, 4 |" in table
    assert f"{values['l2', 'heun', 4]:.2f}" in table
    costs = table.partition("## Cost")[2]
    assert "1 thread(s), torch 2." in costs and "| l2 | 64 |" in costs
    page = (tmp_path / "report.html").read_text()
    for picture in ("figures/distance-evaluation-multistep.png", "samples/soft-heun-4.png"):
        assert picture in page
        assert (tmp_path / picture).is_file()
    losses = (tmp_path / "losses" / "l2-0.jsonl").read_text().splitlines()
    assert json.loads(losses[-1])["images"] == 64

    study.write_text(STUDY.replace("images: 64", "images: 65"))
    rows.path.unlink()
    with pytest.raises(SystemExit, match="holds a training of the arm l2 by another recipe"):
        main([*run, "--arms", "[l2]"])
    assert final.stat().st_mtime_ns == trained


@pytest.mark.slow
def test_an_arm_is_measured_by_its_preset_s_own_sampler(tmp_path):
    (tmp_path / "base.yaml").write_text("data: digits\nsize: 8\nimages: 64\n")
    study = tmp_path / "study.yaml"
    heat = "{class_path: softdiffusion.presets.inverse_heat, init_args: {blur_max: 4.0}}"
    study.write_text(f"""
title: Own samplers
recipe: base.yaml
images: 64
seeds: [0, 1]
samples: 40
evaluations:
  - {{sampler: own, calls: [3]}}
  - {{sampler: NaiveSampler, calls: [3]}}
  - {{sampler: NaiveSampler, calls: [3], options: {{times: [1.0, 0.5]}}, label: two times}}
arms:
  edm: {{preset: edm}}
  heat: {{preset: {heat}}}
""")
    run = ["study", "run", str(study), "--runs", str(tmp_path / "runs"), "--seeds", "[1]"]
    main(run)
    rows = {(r["arm"], r["evaluation"]): r for r in Rows(tmp_path / "rows.jsonl")}
    assert {r["seed"] for r in rows.values()} == {1}
    assert rows["edm", "own"]["nfe"] == 3  # Heun: two noise levels and the last prediction
    # Heat's own sampler is the naive one, with more noise than it was trained with.
    assert rows["heat", "own"]["frechet"] != rows["heat", "naive"]["frechet"]
    assert rows["heat", "two times"]["nfe"] == 2
    with pytest.raises(SystemExit, match="None of the arms has the seed 5"):
        main([*run[:-1], "[5]"])
    study.write_text(study.read_text().replace("[1.0, 0.5]", "[1.0, 0.4]"))
    with pytest.raises(SystemExit, match="edm by two times that was made by another recipe"):
        main(run)


@pytest.mark.slow
def test_an_arm_that_fails_says_why_and_claims_nothing(tmp_path):
    (tmp_path / "base.yaml").write_text(RECIPE)
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("CleanRegression}", "CleanRegression, init_args: {norm: l3}}"))
    run = ["study", "run", str(study), "--runs", str(tmp_path / "runs"), "--arms", "[l2]"]
    with pytest.raises(SystemExit) as stop:
        main(run)
    assert "The command 'train' of l2, seed-0 failed" in str(stop.value)
    with pytest.raises(SystemExit) as stop:
        main(["study", "report", str(study)])
    assert "has no rows yet; run the study first" in str(stop.value)
    study.write_text(STUDY)
    main(run)
    assert len(list(Rows(tmp_path / "rows.jsonl"))) == 3


def started(run: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "softdiffusion.cli.main", *run]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def long_study(tmp_path) -> tuple[Path, Path]:
    """A study whose trainings take a while, and the folder of its runs."""
    often = "images: 8192\ncheckpoint_every: 1024\nlog_every: 512\n"
    (tmp_path / "base.yaml").write_text(RECIPE + often)
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("images: 64", "images: 8192"))
    return study, tmp_path / "runs"


@pytest.mark.parametrize(
    "signum",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_a_study_that_is_killed_ends_its_training_and_resumes_it(tmp_path, signum):
    study, runs = long_study(tmp_path)
    run = ["study", "run", str(study), "--runs", str(runs), "--arms", "[l2]"]
    killed = started(run)
    folder = runs / "l2" / "seed-0"
    trainings: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob("checkpoint-*[0-9]")):
            assert killed.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        trainings = psutil.Process(killed.pid).children(recursive=True)
        assert trainings
        killed.send_signal(signum)
        _, message = killed.communicate(timeout=90)
        if signum in (signal.SIGTERM, signal.SIGINT):
            assert killed.returncode == 128 + signum
            assert "stopped; the same command" in message
        else:
            assert killed.returncode == -signum
        assert not psutil.wait_procs(trainings, timeout=90)[1]
        assert not (folder / "final").exists()
        assert "saved at " in (folder / "log.txt").read_text()
    finally:
        killed.kill()
        for training in trainings:
            with suppress(psutil.NoSuchProcess):
                training.kill()
    before = (folder / "stats.jsonl").read_text().splitlines()[0]
    main(run)
    # It went on from the checkpoint: the first row, with its seconds, is still the first run's.
    assert (folder / "stats.jsonl").read_text().splitlines()[0] == before
    assert (folder / "final" / "ema.safetensors").is_file()
    assert len(list(Rows(tmp_path / "rows.jsonl"))) == 3


@pytest.mark.slow
def test_studies_that_run_at_the_same_time_share_the_arms(tmp_path):
    (tmp_path / "base.yaml").write_text(RECIPE)
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("backbone: {class_path: own.Network, init", "ema: 0.9 # {init"))
    run = ["study", "run", str(study), "--runs", str(tmp_path / "runs")]
    both = [started(run) for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    lines = "".join(out for out, _ in told)
    assert lines.count("l2, seed 0: training") == lines.count("soft, seed 0: training") == 1
    main(run)  # what one of them has left to the other is there by now, or is measured
    keys = [(r["arm"], r["evaluation"], r["calls"]) for r in Rows(tmp_path / "rows.jsonl")]
    assert len(set(keys)) == len(keys) == 6


@pytest.mark.slow
def test_every_arm_is_a_job_of_a_cluster(tmp_path, capsys):
    """On this machine, by the executor that submitit has for it; the second arm fails."""
    (tmp_path / "base.yaml").write_text(RECIPE)
    study = tmp_path / "study.yaml"
    (tmp_path / "own.py").write_text(OWN.replace("return super()", "raise ValueError('tired') #"))
    study.write_text(STUDY)
    run = ["study", "run", str(study), "--runs", str(tmp_path / "runs"), "--executor", "local"]
    with pytest.raises(SystemExit, match=r"1 of 2 jobs failed, such as soft, seed 0: .*tired"):
        main(run)
    told = capsys.readouterr().out
    assert "l2, seed 0: done" in told and "soft, seed 0: failed: " in told
    assert {row["arm"] for row in Rows(tmp_path / "rows.jsonl")} == {"l2"}
    (tmp_path / "own.py").write_text(OWN)
    main(run)
    assert "l2, seed 0" not in capsys.readouterr().out
    assert len(list(Rows(tmp_path / "rows.jsonl"))) == 6
    main(run)
    assert "all arms are measured" in capsys.readouterr().out


def test_a_cluster_that_can_not_be_used_is_named_before_the_work(tmp_path):
    (tmp_path / "base.yaml").write_text(RECIPE)
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("backbone: {class_path: own.Network, init", "ema: 0.9 # {init"))
    run = ["study", "run", str(study), "--runs", str(tmp_path / "runs"), "--executor"]
    with pytest.raises(SystemExit, match=r"local can't be used as asked \(.*'colour'"):
        main([*run, "local", "--settings", "{colour: red}"])
    if shutil.which("srun") is None:
        with pytest.raises(SystemExit, match=r"slurm can't be used as asked \(.*srun"):
            main([*run, "slurm"])


def test_what_would_fail_after_the_work_is_said_before_it(tmp_path):
    (tmp_path / "base.yaml").write_text(RECIPE)
    study, runs = tmp_path / "study.yaml", tmp_path / "runs"
    study.write_text(STUDY)

    def refused(*more: str, text: str = STUDY, folder: Path = runs) -> str:
        study.write_text(text)
        with pytest.raises(SystemExit) as stop:
            main(["study", "run", str(study), "--runs", str(folder), *more])
        assert not runs.exists()
        message = str(stop.value)
        assert message.startswith("softdiffusion study: ") and "\n" not in message
        return message

    blocked = tmp_path / "file"
    blocked.touch()
    own = ("--arms", "[l2]")
    assert "file is a file; choose another place" in refused(*own, folder=blocked / "runs")
    assert "put it there, or take it out of trust" in refused()
    for data in ("fashion-mnist:none", "folder:none"):
        (tmp_path / "base.yaml").write_text(RECIPE.replace("digits", data))
        assert "none" in refused(*own, folder=tmp_path / "other")
    (tmp_path / "base.yaml").write_text(RECIPE)
    assert "jobs and threads must be at least 1" in refused("--jobs", "0")
    assert "jobs and threads must be at least 1" in refused("--threads", "-1")
    assert "has no arm 'nothing'; it has l2, soft" in refused("--arms", "[nothing]")
    assert "None of the arms has the seed -1" in refused("--seeds", "[-1]")
    assert "has no scale 'tiny'" in refused("--scale", "tiny")
    hostile = STUDY.replace("  l2:", "  ../../escape:")
    assert "becomes a part of file names" in refused(text=hostile)
    assert not (tmp_path.parent / "escape").exists()
