"""Killed, or out of space, at anything that it does to a file, a command given again ends as if
nothing had happened.

What the same command leaves after the disturbance is compared with what it leaves without one:
names and bytes, but for times.
"""

from pathlib import Path

import pytest

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import RECIPES, TINY
from tests.robustness.trial import Trial, failures, serving

SAMPLE = "sample --model ROOT/run --out ROOT/out --count 3 --steps 2 --sampler.progress false"

COMMANDS = {
    "sample": f"{SAMPLE} --animation true",
    "evaluate": "evaluate --model ROOT/run --out ROOT/out --count 16 --samplers naive --steps 1 2",
    "schedule": f"schedule --config {RECIPES / 'digits.yaml'} --levels 8 --out ROOT/out",
    "corrupt": f"corrupt --config {RECIPES / 'digits.yaml'} --levels 8 --count 2 --columns 3 "
    "--out ROOT/out",
    "train": f"{TINY} --checkpoint_every 64 --log_every 64 --sample_every 64 --out ROOT/out",
    "restore": "restore --model ROOT/run --input ROOT/blurred --originals ROOT/originals "
    "--severity 1 --samples 2 --sampler MultistepSampler --sampler.steps 2 --progress false "
    "--out ROOT/out",
    "study": "study run ROOT/study/study.yaml --runs ROOT/runs",
}

#: The largest file that may be written, in bytes.
LARGEST = [0, 1, 100, 700, 2_000, 5_000, 20_000, 60_000]

STUDY = {
    "base.yaml": "data: digits\nsize: 8\nlevels: 8\n",
    "study.yaml": "title: Which?\nrecipe: base.yaml\nimages: 64\nseeds: [0]\nsamples: 16\n"
    "evaluations:\n  - {sampler: MultistepSampler, calls: [2]}\n"
    "arms:\n  a: {}\n",
}


@pytest.fixture(scope="module")
def server():
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    """A model, blurred pictures with their originals, and a study."""
    folder = tmp_path_factory.mktemp("inputs")
    main([*TINY.split(), "--out", str(folder / "run")])
    x0 = sd.data.load("digits", split="test")[:2]
    sd.plots.save_images(x0, folder / "originals")
    sd.plots.save_images(sd.GaussianBlur().at(1.0)(x0), folder / "blurred")
    (folder / "study").mkdir()
    for name, text in STUDY.items():
        (folder / "study" / name).write_text(text)
    return {name: folder / name for name in ("run", "originals", "blurred", "study")}


def trial(command: str, inputs: dict[str, Path]) -> Trial:
    arguments = COMMANDS[command]
    return Trial(arguments, {name: inputs[name] for name in inputs if f"ROOT/{name}" in arguments})


def test_a_killed_command_given_again_draws_the_same_samples(server, inputs, tmp_path):
    """A few of the points of one command; the slow test below takes all of all."""
    some = failures(
        server,
        trial("sample", inputs),
        tmp_path / "root",
        "kill",
        lambda whole: range(0, len(whole["seen"]), 5),
    )
    assert some == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_was_killed_at_any_point_ends_as_if_it_was_not(
    command, server, inputs, tmp_path
):
    found = failures(
        server,
        trial(command, inputs),
        tmp_path / "root",
        "kill",
        lambda whole: range(len(whole["seen"])),
    )
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_ends_a_command_in_one_sentence(command, server, inputs, tmp_path):
    """From the k-th thing on that a command writes, there is no space left; then there is."""
    found = failures(
        server,
        trial(command, inputs),
        tmp_path / "root",
        "full",
        lambda whole: range(len(whole["seen"])),
    )
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_limit_of_the_size_of_files_ends_a_command_in_one_sentence(
    command, server, inputs, tmp_path
):
    found = failures(
        server, trial(command, inputs), tmp_path / "root", "largest", lambda whole: LARGEST
    )
    assert found == []
