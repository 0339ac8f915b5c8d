"""Damaged and unsuitable files end a command in one sentence, and nothing else is lost."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import TINY, contents

CONFIGURATIONS = {
    "size: [8\n": "Problems parsing config: .* line 2",
    "siez: 8\n": "does not accept option 'siez'",
    "- a\n- b\n": "Unexpected config: ",
    "learning_rate: .nan\n": "learning_rate must be finite and > 0, but is nan",
    "batch_size: many\n": "--batch_size must be a whole number, but is many",
    "backbone:\n  class_path: softdiffusion.SmallUNet\n  init_args: {widht: 8}\n": "widht is not",
    "schedule:\n  class_path: softdiffusion.schedules.Wasserstein\n"
    "  init_args: {max_severity: 8.0, sigma: [0.02, .nan], levels: 32}\n": "sigma of Wasserstein "
    "must be .* but is nan",
}


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy of the run's folder that may be damaged."""
    return shutil.copytree(trained, tmp_path / "run")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_wrong_configuration(text, tmp_path, refused):
    (tmp_path / "wrong.yaml").write_text(text)
    line = refused(f"{TINY} --out {tmp_path}/run --config {tmp_path}/wrong.yaml")
    assert re.search(CONFIGURATIONS[text], line), line
    assert not (tmp_path / "run").exists()


def test_a_configuration_that_is_no_text(tmp_path, refused):
    (tmp_path / "wrong.yaml").write_bytes(b"\xff\xfe\x00")
    assert "save it as UTF-8" in refused(f"{TINY} --out {tmp_path} --config {tmp_path}/wrong.yaml")


@pytest.mark.parametrize("name", ["ema.safetensors", "config.safetensors", "config.json"])
@pytest.mark.parametrize("command", ["info", "sample --out {0}/new", "evaluate --out {0}/new"])
def test_a_truncated_model(name, command, run, tmp_path, refused):
    cut(run / "final" / name)
    line = refused(f"{command.format(tmp_path)} --model {run}")
    assert re.search(rf"{name} is damaged \(.*\); restore it from a copy", line), line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["denoiser.safetensors", "optimizer.safetensors", "state.json"])
def test_a_truncated_checkpoint(name, run, refused):
    (checkpoint,) = run.glob("checkpoint-*")
    cut(checkpoint / name)
    before = contents(run / "final")
    line = refused(f"{TINY} --out {run} --images 256")
    assert re.search(r"checkpoint \S+ is damaged \(.*\); delete that folder to start", line), line
    assert contents(run / "final") == before
    assert sd.load(run / "final")


@pytest.mark.parametrize("content", ["{}", "[]", '{"format": 1}'])
def test_a_checkpoint_that_is_not_one(content, run, refused):
    (checkpoint,) = run.glob("checkpoint-*")
    (checkpoint / "state.json").write_text(content)
    line = refused(f"{TINY} --out {run} --images 256")
    assert re.search(r"checkpoint \S+ is damaged \(.*\); delete that folder to start", line), line


@pytest.mark.parametrize("name", ["training.json", "recipe.yaml"])
def test_a_truncated_record_of_the_run(name, run, tmp_path, refused):
    file = run / name
    file.write_text(file.read_text()[:40] + "[{")
    train, evaluate = f"{TINY} --out {run}", f"evaluate --model {run} --out {tmp_path}/new"
    line = refused(train if name == "training.json" else evaluate)
    assert re.search(rf"{name} is (damaged \(|no YAML: ).*", line), line


def test_a_model_whose_parts_disagree(run, refused):
    file = run / "final" / "config.json"
    config = json.loads(file.read_text())
    prior = config["prior"]["init_args"]["process"]["init_args"]
    prior["corruption"]["class_path"] = "softdiffusion.HeatKernel"
    file.write_text(json.dumps(config))
    assert "have different processes; restore it from a copy" in refused(f"info --model {run}")


def test_a_foreign_class_needs_trust(run, tmp_path, refused):
    file = run / "final" / "config.json"
    config = json.loads(file.read_text())
    config["denoiser"]["init_args"]["backbone"] = {"class_path": "torch.nn.Identity"}
    file.write_text(json.dumps(config))
    for command in ("info", f"sample --out {tmp_path}/new", f"evaluate --out {tmp_path}/new"):
        assert re.search("Identity is not .* --trust ", refused(f"{command} --model {run}"))


def test_pictures_that_can_not_be_read(pictures, tmp_path, refused):
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    train = f"{TINY} --data folder:{folder} --out {tmp_path}/run"
    cut(folder / "07.png")
    unread = r"image \S+07.png can't be read .*; give another file, or remove it"
    assert re.search(unread, refused(train))
    (folder / "07.png").write_bytes(b"no picture")
    assert re.search(unread, refused(train))
    for file in folder.iterdir():
        file.unlink()
    assert re.search("no images for the train split in .*; files must end in", refused(train))
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_names_the_rate(tmp_path, refused):
    line = refused(f"{TINY} --out {tmp_path} --images 640 --warmup 0 --learning_rate 1e9")
    assert re.search("not finite after .* lower the learning rate", line)
    assert not (tmp_path / "final").exists()


def test_a_model_without_a_start(tmp_path, refused):
    process = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.linear((0.0, 1.0), (0.1, 0.2)))
    sd.save(tmp_path / "model", sd.Denoiser(sd.SmallUNet(1, 8, (1,)), process))
    line = refused(f"sample --model {tmp_path}/model --out {tmp_path}/new")
    assert re.search("without a prior, .*; fit one with sd.GaussianPrior.fit", line)


def test_another_training_leaves_the_files_of_the_first(run, pictures, refused):
    before = contents(run)
    for change, part in {
        "--seed 1": "seed",
        f"--data folder:{pictures}": "data",
        "--levels 5": "denoiser",
        "--corruption HeatKernel": "denoiser",
        "--batch_size 32": "options",
    }.items():
        line = refused(f"{TINY} --out {run} {change}")
        assert re.search(f"another configuration of .*{part} .* choose another folder", line), line
        assert contents(run) == before


def test_the_damaged_report_of_an_evaluation(trained, tmp_path, refused):
    (tmp_path / "report.json").write_text('[{"sampler": "Naive')
    line = refused(f"evaluate --model {trained} --out {tmp_path} --count 16")
    assert re.search(r"report.json is damaged \(.*\); delete it to measure again", line)


def test_a_recipe_that_holds_nothing(run, tmp_path, refused):
    (run / "recipe.yaml").write_text("")
    line = refused(f"evaluate --model {run} --out {tmp_path}/new --count 16")
    assert "recipe.yaml holds no recipe; restore it from a copy" in line


def test_a_full_gpu(trained, tmp_path, monkeypatch, refused):
    def full(*arguments: object, **options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(sd.MultistepSampler, "__call__", full)
    line = refused(f"sample --model {trained} --out {tmp_path}/new")
    assert line.endswith("The memory of the GPU is full; give a smaller --batch_size.")


def test_info_of_an_unfinished_run(run, refused, capsys):
    """The newest checkpoint holds a model; without one, too, there is none."""
    shutil.rmtree(run / "final")
    main(["info", "--model", str(run)])
    assert re.search(r"model\s+\S+checkpoint-\d{12}/model", capsys.readouterr().out)
    for checkpoint in run.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    assert "is not a saved model" in refused(f"info --model {run}")
    main([*TINY.split(), "--out", str(run)])  # the same command makes it again
    main(["info", "--model", str(run)])
