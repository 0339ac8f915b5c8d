"""Every command does what it says, in the forms that the documentation gives."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from safetensors.torch import load_file

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import RECIPES, TINY, contents, needs_processor

DIGITS = RECIPES / "digits.yaml"
SAMPLE = "--sampler.steps 3 --sampler.progress false --count 5"

#: Commands with some arguments of every kind.
PRINTED = [
    f"corrupt --config {DIGITS} --levels 7 --count 3 --out OUT",
    f"schedule --config {DIGITS} --epsilon 0.5 --seed 3 --out OUT",
    f"train --config {DIGITS} --batch_size 17 --objective SoftScoreMatching --out OUT",
    f"sample --model RUN --out OUT {SAMPLE} --sampler.clip [-1,1]",
    "evaluate --model RUN --out OUT --count 33 --steps [3,4] --nu 0.5",
    "info --model RUN --trust [tests]",
]


def run(command: str) -> None:
    main(command.split())


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def process(command: str) -> subprocess.CompletedProcess:
    """The command as its own process, as it is installed."""
    script = Path(sys.executable).with_name("softdiffusion")
    return subprocess.run(
        [script, *command.split()],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_training_on_a_folder_of_pictures(pictures, tmp_path):
    """The recipe's own network; 54 of the 60 pictures are the training split."""
    run(
        f"train --config {DIGITS} --out {tmp_path} --images 128 --checkpoint_every 64 "
        f"--data folder:{pictures}"
    )
    weights = load_file(tmp_path / "final" / "ema.safetensors")
    assert all(weight.isfinite().all() for weight in weights.values())
    recipe = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
    assert recipe["data"] == f"folder:{pictures}"
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-000000000128"]
    _, prior = sd.load(tmp_path / "final")
    assert prior.sample(1, sd.generators(0, [0])).shape == (1, 1, 8, 8)


def test_schedule_chooses_levels_that_train_takes(tmp_path):
    run(f"schedule --config {DIGITS} --levels 12 --out {tmp_path / 'schedule'}")
    selection = json.loads((tmp_path / "schedule" / "selection.json").read_text())
    assert len(selection["severities"]) == 12
    assert size(tmp_path / "schedule" / "schedule.png") > (1000, 400)
    chosen = tmp_path / "schedule" / "schedule.yaml"
    run(f"{TINY} --schedule {chosen} --out {tmp_path / 'run'}")
    denoiser, _ = sd.load(tmp_path / "run" / "final")
    assert denoiser.process.schedule.severity.values == selection["severities"]
    assert yaml.safe_load((tmp_path / "run" / "schedule.yaml").read_text()) == yaml.safe_load(
        chosen.read_text()
    )


#: Those on a folder of pictures are tried in test_gpu_recipes.py.
OWN_DATA = [p for p in sorted(RECIPES.glob("*.yaml")) if "data: folder:" not in p.read_text()]


@pytest.mark.parametrize("recipe", OWN_DATA, ids=lambda path: path.stem)
def test_every_recipe_can_be_trained(recipe, tmp_path, capsys, request):
    if str(yaml.safe_load(recipe.read_text())["data"]).startswith("fashion-mnist"):
        request.getfixturevalue("fashion_mnist")  # skips, with the reason, where it is absent
    run(f"train --config {recipe} --out {tmp_path / 'run'} --dry_run true")
    assert re.search(
        r"[\d,]+ images of \(\d.*\).* from .*; [\d,]+ weights", capsys.readouterr().out
    )
    assert not list(tmp_path.iterdir())


def test_corrupt_shows_the_forward_process(tmp_path, capsys):
    run(f"corrupt --config {DIGITS} --out {tmp_path} --count 2 --columns 3")
    width, height = size(tmp_path / "corruption.png")
    assert width > 4 * 64 and height > 2 * 64  # x0 and three times; two rows
    assert "severity in std in pixels" in capsys.readouterr().out


def test_sample_writes_a_grid_pictures_and_an_animation(trained, tmp_path):
    run(f"sample --model {trained} --out {tmp_path} --animation true {SAMPLE}")
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert names == [f"{index}.png" for index in range(5)]
    assert size(tmp_path / "images" / "0.png") == (8, 8)
    with Image.open(tmp_path / "trajectory.gif") as animation:
        assert animation.n_frames == 4  # three calls and the images


def test_an_animation_does_not_stay_beside_other_images(trained, tmp_path, capsys):
    (tmp_path / "trajectory.gif").write_bytes(b"of other images")
    with pytest.raises(SystemExit) as stop:
        run(f"sample --model {trained} --out {tmp_path} {SAMPLE}")
    assert "trajectory.gif, which would stay beside the new images" in str(stop.value)
    assert [path.name for path in tmp_path.iterdir()] == ["trajectory.gif"]
    run(f"sample --model {trained} --out {tmp_path} --animation true {SAMPLE}")


def test_samples_do_not_depend_on_how_many_are_drawn_at_a_time(trained, tmp_path):
    for size in (1, 256):
        run(f"sample --model {trained} --out {tmp_path / str(size)} --batch_size {size} {SAMPLE}")
    one, all_ = (contents(tmp_path / size / "images") for size in ("1", "256"))
    assert one == all_


def test_images_are_not_put_among_others(trained, tmp_path):
    run(f"sample --model {trained} --out {tmp_path} {SAMPLE}")
    run(f"sample --model {trained} --out {tmp_path} {SAMPLE}")  # the same ones again are fine
    for count, stay in ((3, 2), (12, 5)):  # 12 are 00 to 11
        with pytest.raises(SystemExit) as stop:
            run(f"sample --model {trained} --out {tmp_path} {SAMPLE} --count {count}")
        assert f"holds 5 images, of which {stay} would stay among the {count}" in str(stop.value)


def test_info_says_what_the_model_is(trained, capsys):
    run(f"info --model {trained}")
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["corruption"] == "GaussianBlur, severity in std in pixels"
    assert told["severity"].startswith("0 -> ") and "8 at t = 0, 0.5, 1" in told["severity"]
    assert told["sigma"].startswith("0.02 -> ") and "0.2 at t = 0, 0.5, 1" in told["sigma"]
    assert told["prior"] == "GaussianPrior"
    assert told["data"] == "digits"
    assert told["objective"] == "softdiffusion.StepMatched"


@pytest.mark.parametrize("prior", ["mixture", "data"])
def test_other_starts(prior, tmp_path, capsys):
    run(f"{TINY} --prior {prior} --prior_components 3 --out {tmp_path / 'run'}")
    saved = sd.load(tmp_path / "run" / "final")[1]
    assert saved is None if prior == "data" else len(saved.weights) == 3
    capsys.readouterr()
    run(f"sample --model {tmp_path / 'run'} --out {tmp_path} {SAMPLE}")
    told = "the start is drawn from the training images, digits\n" in capsys.readouterr().out
    assert told == (prior == "data")
    assert (tmp_path / "grid.png").exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("corrupt --config RECIPE --count 3", "3 images at 9 times, to .*new/corruption.png"),
        ("schedule --config RECIPE", r"32 levels among 256 .* largest hop 0\.\d+; to .*new"),
        ("train --config RECIPE", "1,497 images of .* 120,000 images in steps of 64; to .*new"),
        ("sample --model RUN", "64 images by MultistepSampler with 30 network calls each"),
        (
            "evaluate --model RUN --count 9 --samplers [NuSampler] --nu 0.5 --steps [3,4]",
            "9 samples each by NuSampler-0.5 with 3 steps, NuSampler-0.5 with 4 steps",
        ),
    ],
)
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    command, told, trained, tmp_path, capsys
):
    command = command.replace("RECIPE", str(DIGITS)).replace("RUN", str(trained))
    capsys.readouterr()
    run(f"{command} --out {tmp_path / 'new'} --dry_run true")
    assert re.fullmatch(f"{told}\n", capsys.readouterr().out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", PRINTED)
def test_a_printed_configuration_is_the_command(command, trained, tmp_path, capsys):
    """Fed back as --config, what --print_config wrote prints the same again."""
    name, given = command.replace("RUN", str(trained)).split(" ", 1)

    def printed(arguments: str) -> str:
        with pytest.raises(SystemExit) as stop:
            run(f"{name} {arguments} --print_config")
        assert stop.value.code == 0
        return capsys.readouterr().out

    first = printed(given)
    (tmp_path / "printed.yaml").write_text(first)
    assert printed(f"--config {tmp_path / 'printed.yaml'}") == first
    assert yaml.safe_load(first)


@needs_processor
def test_the_recipe_of_a_run_is_its_command(trained, tmp_path):
    """The weights are the same bit for bit."""
    run(f"train --config {trained / 'recipe.yaml'} --out {tmp_path}")
    again, first = (
        load_file(folder / "final" / "ema.safetensors") for folder in (tmp_path, trained)
    )
    assert again.keys() == first.keys()
    assert all(again[name].equal(first[name]) for name in first)


def test_the_installed_command(trained, tmp_path):
    done = process(f"sample --model {trained} --out {tmp_path} {SAMPLE}")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("5 images by MultistepSampler with 3 network calls each\n")


def test_a_refused_command_leaves_one_line_on_standard_error(tmp_path):
    done = process(f"info --model {tmp_path}")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        f"softdiffusion info: {tmp_path} is not a saved model, it has no config.json; check the "
        "path.\n"
    )
