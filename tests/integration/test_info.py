"""What `info` says of a model, and of a folder that a stranger may have made."""

import os
import re

import pytest
import yaml

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.registry import EXAMPLES, process


def said(capsys, folder) -> dict[str, str]:
    main(["info", "--model", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    return {line[:12].strip(): line[13:] for line in lines}


@pytest.fixture
def run(tmp_path):
    """A run before its end, of a network in half precision that knows three classes."""
    network = sd.SmallUNet(1, 8, (1,), classes=3)
    folder = tmp_path / "run" / "checkpoint-000000000640" / "model"
    denoiser = sd.Denoiser(network, process()).half()
    sd.save(folder, denoiser, EXAMPLES["GaussianPrior"](), classes=["cat", "dog", "\x1b[31mred\n"])
    (tmp_path / "run/recipe.yaml").write_text("data: digits\nimages: 640\nobjective: {}\n")
    return tmp_path / "run"


def test_classes_and_precision_are_told(run, capsys):
    rows = said(capsys, run)
    assert rows["precision"] == "float16"
    assert rows["classes"] == r"cat, dog, \x1b[31mred\n"  # nothing that a terminal obeys
    assert rows["data"] == "digits"
    assert rows["model"].endswith("checkpoint-000000000640/model")
    assert said(capsys, run / "checkpoint-000000000640/model") == rows


def test_a_model_alone(tmp_path, capsys):
    sd.save(tmp_path / "model", EXAMPLES["GaussianDenoiser"]().double())
    rows = said(capsys, tmp_path / "model")
    assert (rows["precision"], rows["classes"], rows["data"]) == ("float64", "none", "not recorded")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1, 2]", "holds no recipe"),
        ("a: [", "is no YAML"),
        ("a: &a [*a]", "contains itself"),
        (f"data: {[1] * 9999}", "is damaged (its data is [1, 1, "),
        ("\n".join(["a0: &a0 [x]", *(f"a{k}: &a{k} [{f'*a{k - 1}, ' * 9}]" for k in range(1, 9))]),
         "shorten it"),
    ],
)  # fmt: skip
def test_a_damaged_recipe_is_one_sentence(text, sentence, run, refused):
    (run / "recipe.yaml").write_text(text)
    assert sentence in refused(f"info --model {run}")


@pytest.mark.parametrize("content", [{"objective": "x" * 999}, {"images": None}])
def test_an_odd_recipe_is_told_as_it_is(content, run, capsys):
    (run / "recipe.yaml").write_text(yaml.safe_dump(content))
    assert all(len(value) < 300 for value in said(capsys, run).values())


def test_a_recipe_that_is_no_file(run, refused, tmp_path):
    (run / "recipe.yaml").unlink()
    os.mkfifo(run / "recipe.yaml")
    assert "a pipe, a socket or a device" in refused(f"info --model {run}")
    (run / "recipe.yaml").unlink()
    (tmp_path / "secret").write_text("password")
    (run / "recipe.yaml").symlink_to(tmp_path / "secret")
    line = refused(f"info --model {run}")
    assert "a link that leads out of" in line
    assert "password" not in line


def test_a_recipe_without_its_data(run, refused, tmp_path):
    model = run / "checkpoint-000000000640/model"
    denoiser, _ = sd.load(model)
    sd.save(model, denoiser)
    (run / "recipe.yaml").write_text("prior: data\nsize: 8\n")
    line = refused(f"sample --model {run} --out {tmp_path}/new")
    assert re.search("recipe of .* lacks channels and data, .* restore it from a copy", line)


def test_a_model_that_is_no_file_is_not_measured(run, refused, tmp_path):
    weights = run / "checkpoint-000000000640/model/ema.safetensors"
    weights.unlink()
    os.mkfifo(weights)
    line = refused(f"evaluate --model {run} --out {tmp_path}/new --count 16")
    assert "a pipe, a socket or a device" in line
