"""A training that was killed goes on by the same command and ends with the same weights."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.command import ON_PROCESSOR

COMMAND = (
    "train --data digits --images 1600 --batch_size 16 --checkpoint_every 160 --log_every 160 "
    "--warmup 160 --backbone SmallUNet --backbone.width 8 --backbone.multipliers [1] "
    "--backbone.attention false --backbone.dropout 0.1 --progress false --out"
)


def start(out: Path) -> subprocess.Popen:
    code = "import sys; from softdiffusion.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, *COMMAND.split(), str(out)]
    return subprocess.Popen(command, env=ON_PROCESSOR)


def test_a_killed_training_ends_bit_identical(tmp_path):
    assert start(tmp_path / "whole").wait(timeout=240) == 0

    killed = start(tmp_path / "killed")
    while not list((tmp_path / "killed").glob("checkpoint-*[0-9]")):
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    if killed.wait() == 0:
        pytest.fail("The training ended before it could be killed.")
    assert not (tmp_path / "killed" / "final").exists()
    assert start(tmp_path / "killed").wait(timeout=240) == 0

    whole, resumed = (
        load_file(tmp_path / name / "final" / "ema.safetensors") for name in ("whole", "killed")
    )
    assert whole.keys() == resumed.keys()
    assert all(whole[name].equal(resumed[name]) for name in whole)
    rows = [
        (tmp_path / name / "stats.jsonl").read_text().count("\n") for name in ("whole", "killed")
    ]
    assert rows[0] == rows[1] == 10


def test_another_configuration_is_refused_in_the_same_folder(tmp_path, capfd):
    command = COMMAND.replace("--images 1600", "--images 32")
    code = "import sys; from softdiffusion.cli.main import main; main(sys.argv[1:])"
    arguments = [sys.executable, "-c", code, *command.split(), str(tmp_path)]
    assert subprocess.run(arguments, timeout=240).returncode == 0
    capfd.readouterr()
    assert subprocess.run([*arguments, "--seed", "1"], timeout=240).returncode == 1
    assert "another configuration" in capfd.readouterr().err
