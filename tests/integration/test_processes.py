"""A training on two processes is that on one: a batch is shared, and its gradient is the mean."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from tests.command import ON_PROCESSOR

#: Adam's first steps are as long as the learning rate, however small a gradient is: what is rounded
#: otherwise may move by one of 1e-4, of which the average takes a tenth.
COMMAND = (
    "-m softdiffusion.cli.main train --data digits --images 640 --batch_size 16 --log_every 160 "
    "--learning_rate 1e-4 "
    "--backbone SmallUNet --backbone.width 8 --backbone.multipliers [1] "
    "--backbone.attention false --progress false --out"
)


def launch(processes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, f"--nproc_per_node={processes}", *COMMAND.split(), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env=ON_PROCESSOR,
    )


def test_two_processes_train_as_one(tmp_path: Path):
    averages = {}
    for processes in (1, 2):
        ended = launch(processes, str(tmp_path / f"{processes}"))
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("wrote") == 1
        averages[processes] = load_file(tmp_path / f"{processes}" / "final" / "ema.safetensors")
    for name, weight in averages[1].items():
        assert_close(averages[2][name], weight, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_batch_that_can_t_be_shared_is_refused(tmp_path: Path):
    ended = launch(2, str(tmp_path), "--batch_size", "7")
    assert ended.returncode != 0
    assert "A batch of 7 images can't be shared evenly by 2 processes" in ended.stderr


@pytest.mark.slow
def test_the_first_process_makes_what_all_of_them_need(tmp_path: Path):
    script = tmp_path / "shared.py"
    script.write_text(
        "import softdiffusion as sd\n"
        "from softdiffusion.training.processes import from_first, processes\n"
        "rank = processes().process_index\n"
        "digits = sd.data.load('digits')\n"
        "process = sd.presets.blurred_flow().process\n"
        "def fit():\n"
        "    prior = sd.GaussianPrior.fit(process, digits)\n"
        "    prior.by = rank\n"
        "    return prior\n"
        "prior = from_first(fit)\n"
        "assert prior.by == 0\n"
        "assert prior.sample(1).shape == (1, 1, 8, 8)\n"
        "def fail():\n"
        "    raise ValueError(f'process {rank} can not')\n"
        "try:\n"
        "    from_first(fail)\n"
        "except ValueError as error:\n"
        "    print(f'{rank}: {error}', flush=True)\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    ended = subprocess.run(
        [*launcher, str(script)], capture_output=True, text=True, timeout=240, env=ON_PROCESSOR
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(ended.stdout.split("\n")) == ["", "0: process 0 can not", "1: process 0 can not"]


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_two_processes_stop_at_the_same_step_and_go_on(signum: int, tmp_path: Path):
    """By a terminal's signal: it reaches all, and the launcher passes it on once more."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launcher, *COMMAND.split(), str(tmp_path / "run"), "--images", "6400"]
    training = subprocess.Popen(
        command, env=ON_PROCESSOR, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (tmp_path / "run" / "stats.jsonl").exists():
        assert training.poll() is None
        time.sleep(0.1)
    os.killpg(training.pid, signum)
    _, told = training.communicate(timeout=120)
    assert training.returncode != 0
    (kept,) = (tmp_path / "run").glob("checkpoint-*")
    images = int(kept.name.removeprefix("checkpoint-"))
    assert 0 < images < 6400 and images % 16 == 0
    assert not (tmp_path / "run" / "final").exists()
    assert told.count(f"saved at {images} images; the same command goes on") <= 1
    ended = launch(2, str(tmp_path / "run"), "--images", str(images + 160))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_others_and_one_goes_on(rank: int, tmp_path: Path):
    """Within a minute, from the last checkpoint, and with what two that were left alone learn."""
    kind = ["--checkpoint_every", "160", "--warmup", "0"]  # which is another one in a short run
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    training = subprocess.Popen(
        [*launcher, *COMMAND.split(), str(tmp_path / "run"), "--images", "64000", *kind],
        env=ON_PROCESSOR,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((tmp_path / "run").glob("checkpoint-*[0-9]")):
        assert training.poll() is None
        time.sleep(0.1)
    ranks = {
        int(process.environ()["RANK"]): process
        for process in psutil.Process(training.pid).children()
        if "RANK" in process.environ()
    }
    assert ranks.keys() == {0, 1}
    ranks[rank].kill()
    training.communicate(timeout=60)
    assert training.returncode != 0
    assert not psutil.wait_procs(list(ranks.values()), timeout=1)[1]
    (kept,) = (tmp_path / "run").glob("checkpoint-*[0-9]")
    images = int(kept.name.removeprefix("checkpoint-")) + 160
    averages = {}
    for processes, out in ((1, "run"), (2, "whole")):
        ended = launch(processes, str(tmp_path / out), "--images", str(images), *kind)
        assert ended.returncode == 0, ended.stderr
        averages[out] = load_file(tmp_path / out / "final" / "ema.safetensors")
    for name, weight in averages["whole"].items():
        assert_close(averages["run"][name], weight, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_workers_as_well_saves_the_training(signum: int, tmp_path: Path):
    """As schedulers and terminals send it: to every process of a job."""
    command = [sys.executable, *COMMAND.split(), str(tmp_path / "run"), "--images", "64000"]
    training = subprocess.Popen(
        [*command, "--workers", "2"],
        env=ON_PROCESSOR,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "run" / "stats.jsonl").exists():
        assert training.poll() is None
        time.sleep(0.1)
    workers = psutil.Process(training.pid).children()
    assert len(workers) == 2
    os.killpg(training.pid, signum)
    _, told = training.communicate(timeout=60)
    assert training.returncode == 128 + signum, told
    (kept,) = (tmp_path / "run").glob("checkpoint-*[0-9]")
    images = int(kept.name.removeprefix("checkpoint-"))
    assert f"saved at {images} images; the same command goes on" in told
    assert not psutil.wait_procs(workers, timeout=10)[1]
