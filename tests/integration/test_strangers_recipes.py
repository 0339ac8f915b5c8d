"""What recipes, and the folder that a command runs in, can't make a command do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.command import RECIPES, TINY

EVIL = "raise SystemExit('a stranger is imported')"
SCHEDULE = {
    "class_path": "softdiffusion.Schedule",
    "init_args": {
        "severity": {
            "class_path": "softdiffusion.schedules.Linear",
            "init_args": {"start": 0.0, "end": 4.0},
        },
        "sigma": {
            "class_path": "softdiffusion.schedules.Geometric",
            "init_args": {"start": 1e-05, "end": 0.2},
        },
    },
}


def written(path: Path, **changes) -> Path:
    """A recipe like that of digits."""
    recipe = yaml.safe_load((RECIPES / "digits.yaml").read_text())
    path.write_text(yaml.safe_dump({**recipe, "images": 64, **changes}))
    return path


def test_a_command_runs_nothing_of_the_folder_that_it_is_in(tmp_path):
    for name in ("json", "random", "typing", "torch", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(EVIL)
    command = [str(Path(sys.executable).with_name("softdiffusion")), *TINY.split()]
    done = subprocess.run(
        [*command, "--out", "run", "--dry_run", "true"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_schedule_is_read_from_a_file_and_waits_for_no_pipe(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe")
    nested = {**SCHEDULE, "init_args": {**SCHEDULE["init_args"], "severity": "pipe"}}
    (tmp_path / "nested.yaml").write_text(json.dumps(nested))
    (tmp_path / "text.yaml").write_text("a: [")
    for name, told in {
        "pipe": "a pipe, a socket or a device, where a file is needed",
        "nested.yaml": "no class pipe",
        "text.yaml": "text.yaml is no YAML",
        "none.yaml": "There is no file none.yaml",
        "/dev/zero": "a pipe, a socket or a device",
    }.items():
        recipe = written(tmp_path / "recipe.yaml", schedule=name)
        assert told in refused(f"train --config {recipe} --out {tmp_path / 'run'}"), name
    for name, told in {
        "pipe": "a pipe, a socket",
        "recipe.yaml": "which names it again",
        1.5: "the path of another one, but is 1.5",
    }.items():
        recipe = written(tmp_path / "recipe.yaml", config=name)
        assert told in refused(f"train --config {recipe} --out {tmp_path / 'run'}")


def test_a_schedule_from_a_file_is_that_in_the_recipe(tmp_path, monkeypatch):
    from softdiffusion.cli.train import parser

    (tmp_path / "schedule.yaml").write_text(yaml.safe_dump(SCHEDULE))
    within = written(tmp_path / "within.yaml", schedule=SCHEDULE)
    beside = written(tmp_path / "beside.yaml", schedule="schedule.yaml")
    expected = parser().parse_args(["--config", str(within), "--out", "run"]).schedule
    found = parser().parse_args(["--config", str(beside), "--out", "run"]).schedule
    assert found == expected
    monkeypatch.chdir(tmp_path)
    for flags in (["--schedule", "schedule.yaml"], ["--schedule=schedule.yaml"]):
        arguments = ["--config", str(written(tmp_path / "bare.yaml")), *flags, "--out", "run"]
        assert parser().parse_args(arguments).schedule == expected


@pytest.mark.parametrize("key", ["batch_size", "prior_modes", "learning_rate", "data"])
def test_a_value_that_is_null(key, tmp_path, refused):
    recipe = written(tmp_path / "recipe.yaml", schedule=SCHEDULE, **{key: None})
    line = refused(f"train --config {recipe} --out {tmp_path / 'run'} --dry_run true")
    assert f"--{key} is null; give a value, or leave it out for " in line and "fault" not in line


def test_data_of_another_kind_in_a_recipe_beside_a_model_are_damage(trained, tmp_path, refused):
    folder = shutil.copytree(trained, tmp_path / "run")
    file = folder / "recipe.yaml"
    recipe = yaml.safe_load(file.read_text())
    for key in ("data", "size", "channels"):
        for value in (["a"], {"a": 1}, 1.5, True, "\x1b[2J" if key != "data" else None):
            file.write_text(yaml.safe_dump({**recipe, key: value}))
            for command in ("info", f"evaluate --out {tmp_path / 'out'}"):
                assert f"damaged (its {key} is " in refused(f"{command} --model {folder}")


CONFINED = """
import contextlib, io, json, sys
from softdiffusion.cli.parser import confine
from softdiffusion.cli.train import parser

confine(["own"])
for recipe in json.loads(sys.argv[1]):
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.suppress(SystemExit):
        parser().parse_args([f"--config={json.dumps(recipe)}", "--out=run"])
    print(json.dumps(told.getvalue()))
"""


def test_a_confined_command_names_parts_of_models_and_trusted_modules_alone(tmp_path):
    for name in ("own", "other"):
        (tmp_path / f"{name}.py").write_text(
            "import os, torch\nprint('imported')\nclass Network(torch.nn.Identity): pass\n"
        )
    jit = {"class_path": "softdiffusion.metrics.InceptionFile", "init_args": {"path": "net.pt"}}
    allowed = [
        {"backbone": "own.Network"},
        {"backbone": {"class_path": "softdiffusion.denoisers.SmallUNet"}},
        {"preset": {"class_path": "softdiffusion.presets.edm"}},
        {"schedule": SCHEDULE, "corruption": "GaussianBlur"},
    ]
    denied = [
        {"backbone": "other.Network"},
        {"backbone": "torch.nn.Identity"},
        {"backbone": jit},
        {"backbone": {**jit, "class_path": "softdiffusion.InceptionFile"}},
        {"backbone": {**jit, "class_path": "softdiffusion.studies.modules.sys.modules"}},
        {"backbone": json.dumps({"class_path": "torch.nn.Linear", "init_args": {}})},
        {"backbone": "own.os.system"},
        {"corruption": "other.Network"},
        {"schedule": {"class_path": "other.Network"}},
    ]
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, json.dumps(allowed + denied)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines.pop(0) == "imported"  # own, and nothing else
    told = [json.loads(line) for line in lines]
    assert [("names own" in line or not line) for line in told[: len(allowed)]] == [True] * 4
    for recipe, line in zip(denied, told[len(allowed) :], strict=True):
        denial = "neither a part of models nor of a module that is trusted"
        assert denial in line or "no class softdiffusion." in line, (recipe, line)


@pytest.mark.parametrize(
    "word", ["subprocess.Popen", "os.system", "builtins.eval", "builtins.exec"]
)
def test_a_sampler_is_a_sampler(word, refused, trained, tmp_path):
    config = tmp_path / "sample.yaml"
    for value in (word, {"class_path": word, "init_args": {}}):
        config.write_text(yaml.safe_dump({"sampler": value}))
        refused(f"sample --config {config} --model {trained} --out {tmp_path / 'out'}")
