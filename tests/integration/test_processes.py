"""A training on two processes is that on one: a batch is shared, and its gradient is the mean."""

import subprocess
import sys
from pathlib import Path

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


def test_a_batch_that_can_t_be_shared_is_refused(tmp_path: Path):
    ended = launch(2, str(tmp_path), "--batch_size", "7")
    assert ended.returncode != 0
    assert "A batch of 7 images can't be shared evenly by 2 processes" in ended.stderr
