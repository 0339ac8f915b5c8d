"""Modules of one's own: imported where a study trusts them, and from nowhere else."""

import dataclasses
import importlib
import os
import sys
from pathlib import Path

import pytest

from softdiffusion.studies import Study, importable
from softdiffusion.studies.commands import Commands
from softdiffusion.studies.modules import check_classes, check_modules

HEADLINE = Path(__file__).parents[3] / "studies" / "headline" / "study.yaml"

MARKED = "from pathlib import Path\n(Path(__file__).parent / 'imported').touch()\nVALUE = 1\n"


def recipe(class_path: str) -> dict[str, object]:
    return {"backbone": {"class_path": class_path}}


@pytest.fixture
def folder(tmp_path):
    for name in ("trusted_one", "other_one", "random"):
        (tmp_path / f"{name}.py").write_text(MARKED)
    return tmp_path


def test_what_is_trusted_is_imported_and_said_and_nothing_else(folder, capsys):
    with importable(folder, ["trusted_one.networks", "random"]):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("other_one")
        assert not hasattr(importlib.reload(importlib.import_module("random")), "VALUE")
        assert not (folder / "imported").exists()
        assert importlib.import_module("trusted_one").VALUE == 1
    assert (folder / "imported").exists()
    assert f"trusts trusted_one, whose code is run: {folder}" in capsys.readouterr().out
    del sys.modules["trusted_one"]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("trusted_one")


def test_a_trusted_module_is_found_before_the_work_but_not_imported(folder):
    check_modules(folder, ["trusted_one"], [recipe("trusted_one.A")])
    check_modules(folder, ["yaml", "gone"], [recipe("softdiffusion.SmallUNet")])  # nobody uses them
    with pytest.raises(ValueError, match=r"but there is no gone.py in .*; put it there"):
        check_modules(folder, ["gone"], [recipe("gone.A")])
    with pytest.raises(ValueError, match="has the same name; give the module another name"):
        check_modules(folder, ["random"], [recipe("random.A")])
    assert not (folder / "imported").exists()


@pytest.mark.parametrize(
    ("class_path", "trust", "trusted"),
    [
        ("own.Network", "", False),
        ("own.Network", "trust: [own]", True),
        ("own.parts.Network", "trust: [own]", True),
        ("own.Network", "trust: [own.parts]", False),
        ("owner.Network", "trust: [own]", False),
        ("softdiffusion_evil.Network", "", False),
        ("softdiffusion.SmallUNet", "", True),
        ("SmallUNet", "", True),
    ],
)
def test_arms_name_classes_of_trusted_modules_alone(tmp_path, class_path, trust, trusted):
    (tmp_path / "base.yaml").write_text("data: digits\n")
    (tmp_path / "study.yaml").write_text(f"""
title: A trial
recipe: base.yaml
images: 100
seeds: [0]
samples: 50
evaluations: [{{sampler: NaiveSampler, calls: [5]}}]
arms: {{a: {{objective: {{init_args: {{inner: [{{class_path: {class_path}}}]}}}}}}}}
{trust}
""")
    if trusted:
        Study.read(tmp_path / "study.yaml")
    else:
        with pytest.raises(ValueError, match="not softdiffusion's.* write trust: "):
            Study.read(tmp_path / "study.yaml")


@pytest.mark.parametrize(
    "class_path",
    [
        "InceptionFile",
        "softdiffusion.InceptionFile",
        "softdiffusion.metrics.InceptionFile",
        "Softmax",
    ],
)
def test_arms_name_no_classes_that_are_no_parts_of_models(tmp_path, class_path):
    with pytest.raises(ValueError, match=f"{class_path}', which is no part of a model; name one"):
        check_classes("a", {"backbone": {"class_path": class_path}}, ["own"], tmp_path)


def test_a_command_of_a_study_imports_nothing_from_its_folder_or_where_it_runs(
    tmp_path, monkeypatch
):
    """Modules that the package itself needs lie there, and are not the ones it gets."""
    for name in ("random", "yaml", "tqdm", "json", "sitecustomize", "own"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger is imported')")
    run = tmp_path / "run"
    run.mkdir()
    study = dataclasses.replace(Study.read(HEADLINE), path=tmp_path / "study.yaml", trust=("yaml",))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", *sys.path]))  # "" is where it runs
    Commands(study, jobs=1, threads=1).run(["train", "--help"], run)
    assert "stranger" not in (run / "log.txt").read_text(encoding="utf-8")
