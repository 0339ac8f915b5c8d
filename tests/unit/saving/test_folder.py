"""Which folder is meant, and what it is called."""

import json
import os
import stat
import subprocess
import sys

import pytest
import torch

import softdiffusion as sd
from softdiffusion.saving import class_names, model_folder
from tests.registry import EXAMPLES, process


def tiny(seed=0, classes=0):
    torch.manual_seed(seed)
    return sd.Denoiser(sd.SmallUNet(1, 8, (1,), classes=classes), process())


def test_the_model_of_a_run(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(FileNotFoundError, match="is not a saved model"):
        sd.load(run)
    for name in ("checkpoint-000000000064", "checkpoint-000000000640", "checkpoint-000000099999x"):
        sd.save(run / name / "model", tiny())
    (run / "checkpoint-000000009999").mkdir()  # without a model
    sd.save(run / "checkpoint-best1/model", tiny())
    assert model_folder(run) == run / "checkpoint-000000000640/model"
    sd.save(run / "final", tiny(1))
    assert model_folder(str(run)) == run / "final"
    assert model_folder(run / "final") == run / "final"
    loaded, _ = sd.load(run)
    assert torch.equal(next(loaded.parameters()), next(tiny(1).parameters()))


def test_a_run_whose_model_lies_elsewhere(tmp_path):
    sd.save(tmp_path / "model", tiny())
    (tmp_path / "run").mkdir()
    (tmp_path / "run/final").symlink_to(tmp_path / "model")
    with pytest.raises(ValueError, match="a link that leads out of"):
        sd.load(tmp_path / "run")


def test_names_of_classes_come_back(tmp_path):
    names = ("cat", "dog", "Katze\n\x1b[31m")
    sd.save(tmp_path / "model", tiny(classes=3), classes=names)
    assert class_names(tmp_path / "model") == names
    sd.save(tmp_path / "model", tiny(classes=3))
    assert class_names(tmp_path / "model") is None
    with pytest.raises(ValueError, match="knows 3 classes, but 4 names were given"):
        sd.save(tmp_path / "model", tiny(classes=3), classes=["a", "b", "c", "d"])
    with pytest.raises(TypeError, match="classes must be a list of names, but is 'cat'"):
        sd.save(tmp_path / "model", tiny(classes=3), classes="cat")


@pytest.mark.parametrize("names", [3, "cat", [1], {"cat": 1}])
def test_damaged_names(names, tmp_path):
    sd.save(tmp_path / "model", tiny(), classes=["cat"])
    config = json.loads((tmp_path / "model/config.json").read_text())
    (tmp_path / "model/config.json").write_text(json.dumps({**config, "classes": names}))
    with pytest.raises(ValueError, match="classes is no list of names"):
        class_names(tmp_path / "model")
    with pytest.raises(ValueError, match="classes is no list of names"):
        sd.load(tmp_path / "model")


def test_files_have_the_permissions_of_the_umask(tmp_path):
    program = """
import os, sys
import softdiffusion as sd
os.umask(0o027)
sd.save(sys.argv[2], *sd.load(sys.argv[1]))
"""
    sd.save(tmp_path / "a", tiny(), EXAMPLES["GaussianPrior"]())
    subprocess.run([sys.executable, "-c", program, tmp_path / "a", tmp_path / "b"], check=True)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "b").iterdir()}
    assert len(os.listdir(tmp_path / "b")) == 3
    assert modes == {0o640}


def test_places_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("", "a\0b"):
        with pytest.raises(ValueError, match="path must be that of a folder"):
            sd.save(path, tiny())
    with pytest.raises(ValueError, match="is the working directory"):
        sd.save(".", tiny())
    with pytest.raises(TypeError, match="path must be a str or a Path, but is 7"):
        sd.save(7, tiny())
    assert list(tmp_path.iterdir()) == []


def test_things_that_are_no_model(tmp_path):
    with pytest.raises(
        TypeError, match="denoiser must be a softdiffusion.BaseDenoiser, but is a S"
    ):
        sd.save(tmp_path / "m", sd.SmallUNet(1, 8))
    with pytest.raises(TypeError, match="prior must be a softdiffusion.Prior, but is a Tensor"):
        sd.save(tmp_path / "m", tiny(), torch.zeros(3))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_diverged_model_is_not_saved(number, tmp_path):
    denoiser = tiny()
    next(denoiser.parameters()).data[0] = number
    with pytest.raises(ValueError, match=r"backbone.time.1.weight.* the training has diverged"):
        sd.save(tmp_path / "m", denoiser)
    prior = EXAMPLES["GaussianPrior"]()
    prior.mean = prior.mean * number
    with pytest.raises(ValueError, match="The tensor prior.mean holds NaN or infinity"):
        sd.save(tmp_path / "m", tiny(), prior)
    assert list(tmp_path.iterdir()) == []


def test_what_load_would_refuse_is_not_saved(tmp_path):
    denoiser = tiny()
    denoiser.backbone.width = [8]
    with pytest.raises(ValueError, match="width of softdiffusion.SmallUNet must be a number"):
        sd.save(tmp_path / "m", denoiser)
