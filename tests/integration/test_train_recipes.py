"""What a recipe may say, and what `train` finds out before it works."""

import json
import os
import re
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import RECIPES, TINY, contents

SMALL = (
    "train --data digits --images 64 --backbone SmallUNet --backbone.width 8 "
    "--backbone.multipliers [1] --backbone.attention false --progress false"
)


def told(command: str, capsys) -> str:
    """What a dry run says."""
    capsys.readouterr()
    main([*command.split(), "--dry_run", "true"])
    return capsys.readouterr().out


def painted(folder: Path, count: int, mode: str, size: int = 8, classes: int = 0) -> Path:
    for index in range(count):
        place = folder / str(index % classes) if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        pixels = torch.randint(256, (size, size, 3), dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).convert(mode).save(place / f"{index:03}.png")
    return folder


# Lengths


def test_a_recipe_that_is_cut_short_says_so(capsys, tmp_path):
    line = f"train --config {RECIPES / 'digits.yaml'} --out {tmp_path}/run"
    cut = told(f"{line} --images 20000", capsys)
    assert "warm-up and decay (6,400 and 30,000 images) are longer" in cut
    assert "shortened" not in told(line, capsys)
    remedy = "--images 20000 --warmup 1000 --decay 5000"
    assert "shortened" not in told(f"{line} {remedy}", capsys)


# Channels


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_images_keep_the_channels_that_they_have(mode, channels, tmp_path):
    data = painted(tmp_path / "data", 12, mode)
    main([*SMALL.split(), "--data", f"folder:{data}", "--out", str(tmp_path / "run")])
    denoiser, _ = sd.load(tmp_path / "run" / "final")
    assert denoiser.backbone.channels == channels
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recipe["channels"] == channels
    main(
        [*SMALL.split(), "--config", str(tmp_path / "run/recipe.yaml"), "--out", f"{tmp_path}/run"]
    )


def test_channels_that_are_named_are_taken(tmp_path, capsys):
    data = painted(tmp_path / "data", 12, "RGB")
    command = f"{SMALL} --data folder:{data} --out {tmp_path}/run"
    assert "of (3, 8, 8)" in told(command, capsys)
    assert "of (1, 8, 8)" in told(f"{command} --channels 1", capsys)


# Presets


@pytest.mark.parametrize(
    "named",
    [
        "--preset blurred_flow --preset.end 0.7",
        "--preset=blurred_flow --preset.end=0.7",
        "--preset softdiffusion.presets.blurred_flow --preset.init_args.end 0.7",
        "--preset.end 0.7 --preset blurred_flow",
        "--config RECIPE --preset.end 0.7",
    ],
)
def test_a_presets_argument_is_a_flag(named, tmp_path):
    (tmp_path / "recipe.yaml").write_text("preset: blurred_flow\n")
    named = named.replace("RECIPE", str(tmp_path / "recipe.yaml"))
    main([*SMALL.split(), "--out", str(tmp_path / "run"), *named.split()])
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recipe["schedule"]["init_args"]["sigma"]["init_args"]["end"] == 0.7


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("--preset.end 0.7", "Name a preset by --preset before its argument end"),
        ("--preset vp --preset.end 0.7", "--preset: the argument end is not accepted"),
        ("--preset ddpm --preset.end 0.7", "There is no preset 'ddpm'; there are ve, vp,"),
        ("--preset blurred_flow --preset.end many", "--preset.end must be a number, but is many"),
        ("--preset blurred_flow --preset.end 7", "must end within (0, 1], but end is 7"),
        ("--preset [] --preset.end 7", "There is no preset '[]'"),
    ],
)
def test_a_presets_wrong_argument_is_named(named, message, tmp_path, refused):
    assert message in refused(f"{SMALL} --out {tmp_path}/run {named}")


# Starts


@pytest.mark.parametrize(
    ("arguments", "message", "remedy"),
    [
        ("--data folder:FEW --preset cold_blur", "or lower --prior_modes", "--prior_modes 20"),
        ("--preset vp --prior mixture", "--prior gaussian", "--prior gaussian"),
        (
            "--data folder:FEW --preset blurred_flow --preset.end 0.3 --prior classes",
            "lower --prior_modes",
            "--prior_modes 9",
        ),
        (
            "--prior mixture --prior_components 900",
            "lower --prior_components or --prior_modes",
            "--prior_components 10",
        ),
    ],
)
def test_the_remedies_of_starts_are_flags_that_work(arguments, message, remedy, tmp_path, refused):
    few = painted(tmp_path / "few", 40, "L", classes=2)
    command = f"{SMALL} --out {tmp_path}/run {arguments}".replace("FEW", str(few))
    assert message in refused(command)
    assert not (tmp_path / "run").exists()
    main(f"{command} {remedy} --dry_run true".split())


# Dry runs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--precision fp16", "precision fp16 can't be had on cpu; use no"),
        ("--backbone.classes 3", "class"),
        ("--data folder:PLAIN --backbone.classes 3", "but the data have no labels"),
        ("--data folder:ONE", "at least 2 images"),
        ("--backbone torch.nn.Linear --backbone.in_features 3 --backbone.out_features 4", "Linear"),
        ("--sample_every 64 --prior data", "need a start"),
        ("--levels 0", "at least 2 levels"),
        ("--levels -3", "at least 2 levels"),
        ("--prior_components 0", "--prior_components must be a whole number > 0"),
        ("--prior_modes 0", "--prior_modes must be a whole number > 0"),
        ("--out RUN --seed 1", "another configuration of"),
        ("--out RUN --config RUN/recipe.yaml --images 64", "has seen 128 images already"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has half precision")
def test_a_dry_run_finds_what_a_training_would_refuse(
    arguments, message, trained, tmp_path, refused
):
    plain, one = painted(tmp_path / "plain", 12, "L"), painted(tmp_path / "one", 1, "L")
    for name, path in {"PLAIN": plain, "ONE": one, "RUN": trained}.items():
        arguments = arguments.replace(name, str(path))
    if arguments.startswith("--backbone torch"):
        command = "train --data digits --images 64 --progress false"
    else:
        command = SMALL
    before, present = contents(trained), contents(tmp_path)
    line = refused(f"{command} --out {tmp_path}/run {arguments} --dry_run true")
    assert re.search(message, line), line
    assert contents(trained) == before
    assert contents(tmp_path) == present and not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has half precision")
def test_a_refusal_claims_nothing(tmp_path, refused):
    command = f"{SMALL} --out {tmp_path}/run"
    refused(f"{command} --precision fp16")
    assert not (tmp_path / "run").exists()
    main(command.split())
    assert (tmp_path / "run" / "final").is_dir()


# Files


def test_a_recipe_is_read_as_utf_8_and_within_bounds(tmp_path, refused):
    recipe = tmp_path / "recipe.yaml"
    bomb = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    began = time.monotonic()
    for text, message in {
        "\n".join(bomb): "values",
        "[" * 10_000: "levels",
        "a: &a [*a]": "contains itself",
        "images: !!bool maybe": "no YAML",
        "images: !!timestamp now": "no YAML",
        "images: !!int many": "no YAML",
        "? [a]\n: b": "no YAML|Problems|unhashable",
    }.items():
        recipe.write_text(text)
        line = refused(f"{TINY} --out {tmp_path}/run --config {recipe}")
        assert re.search(message, line), line
    assert time.monotonic() - began < 60  # and not a year
    recipe.unlink()
    os.mkfifo(recipe)
    assert "is a pipe" in refused(f"{TINY} --out {tmp_path}/run --config {recipe}")
    assert not (tmp_path / "run").exists()


def test_a_module_of_its_own_is_told_before_it_is_imported(tmp_path, monkeypatch, capsys, refused):
    (tmp_path / "strangers.py").write_text(
        "import sys, torch\n"
        "print('the code of the module', file=sys.stderr)\n"
        "class Net(torch.nn.Conv2d):\n"
        "    def __init__(self, channels: int):\n"
        "        super().__init__(channels, channels, 1)\n"
        "        self.channels = channels\n"
        "    def forward(self, x, t):\n"
        "        return super().forward(x)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "recipe.yaml").write_text("backbone: {class_path: strangers.Net}\n")
    for named in (f"--config {tmp_path}/recipe.yaml", "--backbone strangers.Net"):
        monkeypatch.delitem(sys.modules, "strangers", raising=False)
        capsys.readouterr()
        main(f"train --data digits --images 64 {named} --dry_run true --out {tmp_path}/x".split())
        lines = capsys.readouterr().err.splitlines()
        assert lines == [
            "the recipe names strangers.Net; strangers is imported now",
            "the code of the module",
        ]
    main(f"{SMALL} --dry_run true --out {tmp_path}/x --data digits".split())
    assert not capsys.readouterr().err


def test_the_help_lists_the_networks_of_this_package(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "softdiffusion.SmallUNet" in text and "softdiffusion.DiffusersUNet" in text
    assert "torch.nn" not in text


def test_the_records_of_a_run_are_strict_json(trained):
    def no_number(word: str) -> None:
        raise AssertionError(word)

    for file in trained.rglob("*.json"):
        json.loads(file.read_text(encoding="utf-8"), parse_constant=no_number)
    for line in (trained / "stats.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=no_number)
