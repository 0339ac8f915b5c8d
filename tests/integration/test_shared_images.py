"""Two processes draw, measure and restore what one does, and end together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import ON_PROCESSOR

LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
COMMAND = [*LAUNCHER, "-m", "softdiffusion.cli.main"]


def by_two(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *command.split()], capture_output=True, text=True, timeout=240, env=ON_PROCESSOR
    )


def check_same_pictures(one: Path, two: Path) -> None:
    """Images agree to 1e-4, so that they may fall on neighbouring levels."""
    names = sorted(path.relative_to(one) for path in one.rglob("*.png"))
    assert names == sorted(path.relative_to(two) for path in two.rglob("*.png"))
    for name in names:
        ours, theirs = (np.array(Image.open(folder / name)).astype(int) for folder in (one, two))
        assert np.abs(ours - theirs).max() <= 1, name


def test_two_processes_draw_the_images_of_one(trained, tmp_path):
    """The grid, too, whose images lie with both."""
    command = f"sample --model {trained} --count 50 --batch_size 16 --sampler naive --steps 3 --out"
    main([*command.split(), str(tmp_path / "one")])
    ended = by_two(f"{command} {tmp_path / 'two'}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("50 images by") == ended.stdout.count("wrote") == 1
    assert len(list((tmp_path / "two" / "images").iterdir())) == 50
    check_same_pictures(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_two_processes_measure_what_one_does(trained, tmp_path):
    command = (
        f"evaluate --model {trained} --count 50 --batch_size 16 --samplers naive heun --steps 2 "
        "--out"
    )
    main([*command.split(), str(tmp_path / "one")])
    ended = by_two(f"{command} {tmp_path / 'two'}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("wrote") == 1
    rows = [json.loads((tmp_path / way / "report.json").read_text()) for way in ("one", "two")]
    for one, two in zip(*rows, strict=True):
        assert (one["sampler"], one["conditions"]) == (two["sampler"], two["conditions"])
        assert one["distance"] == pytest.approx(two["distance"], rel=1e-2)
        assert one["floor"] == two["floor"]
    pictures = [tmp_path / way / "HeunSampler-2.png" for way in ("one", "two")]
    ours, theirs = (np.array(Image.open(path)).astype(int) for path in pictures)
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.slow
def test_two_processes_restore_as_one(trained, tmp_path):
    x0 = sd.data.load("digits")[:40]
    sd.plots.save_images(x0, tmp_path / "originals")
    sd.plots.save_images(sd.GaussianBlur().at(1.0)(x0), tmp_path / "blurred")
    command = (
        f"restore --model {trained} --input {tmp_path}/blurred --originals {tmp_path}/originals "
        "--severity 1 --samples 2 --steps 3 --batch_size 32 --out"
    )
    main([*command.split(), str(tmp_path / "one")])
    ended = by_two(f"{command} {tmp_path / 'two'}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("wrote") == 1
    check_same_pictures(tmp_path / "one", tmp_path / "two")
    one, two = (json.loads((tmp_path / way / "report.json").read_text()) for way in ("one", "two"))
    assert [row["name"] for row in one["images"]] == [row["name"] for row in two["images"]]
    for method, values in one["quality"]["methods"].items():
        assert values["psnr"] == pytest.approx(two["quality"]["methods"][method]["psnr"], abs=0.1)


@pytest.mark.slow
def test_the_report_is_whole_where_a_file_can_not_be_read(trained, tmp_path):
    """Only the first process finishes it; another one that failed before would end that one."""
    sd.plots.save_images(sd.data.load("digits")[:4], tmp_path / "blurred")
    (tmp_path / "blurred" / "damaged.png").write_bytes(b"no picture")
    ended = by_two(
        f"restore --model {trained} --input {tmp_path}/blurred --severity 1 --samples 1 --steps 2 "
        f"--out {tmp_path / 'out'}"
    )
    assert ended.returncode != 0
    told = [line for line in ended.stderr.splitlines() if line.startswith("softdiffusion restore")]
    assert len(told) == 1 and "1 of 5 files were left out, 4 are restored" in told[0]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["images"]) == 4 and list(report["failed"]) == ["damaged.png"]


#: Each process in turn can't make its own, and says what it was told.
AGREEING = """
from softdiffusion.cli.team import joined
with joined() as team:
    for turn in range(2):
        def make():
            if team.index == turn:
                raise ValueError(f"not in process {turn}")
        try:
            team.agreed(make)
        except ValueError as error:
            assert str(error) == f"not in process {turn}", error
        else:
            raise AssertionError("it went on")
    assert team.agreed(lambda: team.index) == team.index
    assert team.each(team.index) == [0, 1]
"""


@pytest.mark.slow
def test_what_one_process_can_not_make_no_other_goes_on_with(tmp_path):
    (tmp_path / "agreeing.py").write_text(AGREEING)
    ended = subprocess.run(
        [*LAUNCHER, tmp_path / "agreeing.py"],
        capture_output=True,
        text=True,
        timeout=240,
        env=ON_PROCESSOR,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_one_sentence_says_why_two_processes_end(trained, tmp_path):
    """Only the first one looks at the folder; the other misses it."""
    sd.plots.save_images(sd.data.load("digits")[:20], tmp_path / "images")
    ended = by_two(f"sample --model {trained} --count 9 --out {tmp_path}")
    assert ended.returncode != 0
    told = [line for line in ended.stderr.splitlines() if line.startswith("softdiffusion sample")]
    assert len(told) == 1 and "20 images, of which 20 would stay among the 9 new ones" in told[0]


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_other_one(trained, tmp_path):
    command = f"sample --model {trained} --count 1000000 --batch_size 8 --out {tmp_path}/out"
    drawing = subprocess.Popen(
        [*COMMAND, *command.split()], env=ON_PROCESSOR, stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "out" / "images").exists():
        assert drawing.poll() is None
        time.sleep(0.1)
    children = Path(f"/proc/{drawing.pid}/task/{drawing.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    assert drawing.wait(timeout=60) != 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)
