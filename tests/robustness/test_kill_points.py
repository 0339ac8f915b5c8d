"""Killed, or out of space, at anything that it does to a file, a command given again ends as if
nothing had happened.

What the same command leaves after the disturbance is compared with what it leaves without one:
names and bytes, but for times.
"""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import ON_PROCESSOR, RECIPES, TINY
from tests.robustness.trial import (
    Trial,
    differences,
    failures,
    of_every_kind,
    one_line,
    serving,
    tree,
    unlike_at_kills,
)

SAMPLE = "sample --model ROOT/run --out ROOT/out --count 3 --steps 2 --sampler.progress false"

COMMANDS = {
    "sample": f"{SAMPLE} --animation true",
    "evaluate": "evaluate --model ROOT/run --out ROOT/out --count 16 --samplers naive --steps 1 2",
    "schedule": f"schedule --config {RECIPES / 'digits.yaml'} --levels 8 --out ROOT/out",
    "corrupt": f"corrupt --config {RECIPES / 'digits.yaml'} --levels 8 --count 2 --columns 3 "
    "--out ROOT/out",
    "train": f"{TINY} --levels 8 --checkpoint_every 64 --log_every 64 --sample_every 64 "
    "--out ROOT/out",
    "restore": "restore --model ROOT/run --input ROOT/blurred --originals ROOT/originals "
    "--severity 1 --samples 2 --sampler MultistepSampler --sampler.steps 2 --progress false "
    "--out ROOT/out",
    "study run": "study run ROOT/study/study.yaml --runs ROOT/runs",
    "study measure": "study measure ROOT/study/study.yaml --runs ROOT/trained",
    "study report": "study report ROOT/measured/study.yaml",
}

#: The largest file that may be written, in bytes.
LARGEST = [0, 2_000, 20_000]

STUDY = {
    "base.yaml": """data: digits
size: 8
levels: 8
backbone:
  class_path: softdiffusion.SmallUNet
  init_args: {width: 8, multipliers: [1], attention: false}
""",
    "study.yaml": """title: Which?
recipe: base.yaml
images: 64
seeds: [0]
samples: 16
evaluations:
  - {sampler: MultistepSampler, calls: [2]}
arms:
  a: {}
""",
}

#: Operations between two that are tried, where one trial takes many seconds.
STRIDE = {"train": 5, "study run": 6}


@pytest.fixture(scope="module")
def server():
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    """A model, and blurred pictures with their originals."""
    folder = tmp_path_factory.mktemp("inputs")
    main([*TINY.split(), "--out", str(folder / "run")])
    x0 = sd.data.load("digits", split="test")[:2]
    sd.plots.save_images(x0, folder / "originals")
    sd.plots.save_images(sd.GaussianBlur().at(1.0)(x0), folder / "blurred")
    return {name: folder / name for name in ("run", "originals", "blurred")}


@pytest.fixture(scope="module")
def studied(inputs, tmp_path_factory) -> dict[str, Path]:
    """Those, and a study, new and measured."""
    folder = tmp_path_factory.mktemp("studies")
    (folder / "study").mkdir()
    for name, text in STUDY.items():
        (folder / "study" / name).write_text(text)
    shutil.copytree(folder / "study", folder / "measured")
    main(f"study run {folder}/measured/study.yaml --runs {folder}/trained".split())
    return inputs | {name: folder / name for name in ("study", "measured", "trained")}


def trial(command: str, inputs: dict[str, Path]) -> Trial:
    arguments = COMMANDS[command]
    return Trial(arguments, {name: inputs[name] for name in inputs if f"ROOT/{name}" in arguments})


def test_a_killed_command_given_again_draws_the_same_samples(server, inputs, tmp_path):
    """Some of the points of one command; the slow test below takes those of all."""
    assert unlike_at_kills(server, trial("sample", inputs), tmp_path / "root", every=5) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_was_killed_at_any_point_ends_as_if_it_was_not(
    command, server, studied, tmp_path
):
    """Of operations that differ in the number of their file alone, the first and the last."""
    every = STRIDE.get(command, 1)
    assert unlike_at_kills(server, trial(command, studied), tmp_path / "root", every) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_ends_a_command_in_one_sentence(command, server, studied, tmp_path):
    """From the k-th thing on that a command writes, there is no space left; then there is.

    A file takes about seven operations on end, each of which fails in the same place of the code,
    so that every fifth is tried, and fewer where a trial takes many seconds.
    """
    every = 15 if command == "train" else 5
    found = failures(
        server,
        trial(command, studied),
        tmp_path / "root",
        "full",
        lambda whole: of_every_kind(whole["seen"])[::every],
    )
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_limit_of_the_size_of_files_ends_a_command_in_one_sentence(
    command, server, studied, tmp_path
):
    found = failures(
        server, trial(command, studied), tmp_path / "root", "largest", lambda whole: LARGEST
    )
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_a_command_which_then_goes_on(command, server, studied, tmp_path):
    """Each at a random moment of the time that the command takes."""
    found = failures(
        server,
        trial(command, studied),
        tmp_path / "root",
        "stop",
        lambda whole: [
            (signum, random.random() * whole["seconds"])
            for signum in (signal.SIGINT, signal.SIGTERM)
        ],
    )
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "evaluate", "restore", "study run"])
def test_two_at_once_share_a_folder_or_one_is_refused(command, server, studied, tmp_path):
    this, root = trial(command, studied), tmp_path / "root"
    this.prepare(root)
    assert server.run(this, root)["code"] == 0
    expected = tree(root)
    this.prepare(root)
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "softdiffusion", *this.command(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ON_PROCESSOR | {"XDG_CACHE_HOME": str(root / "cache"), "OMP_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]
    told = [process.communicate()[0] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, told
    for code, said in zip(codes, told, strict=True):
        assert code == 0 or one_line({"code": code, "told": said}), said
        assert code == 0 or "Another process" in said, said
    assert differences(tree(root), expected) == []
