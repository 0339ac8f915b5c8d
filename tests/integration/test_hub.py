"""Data sets of Hugging Face on the command line and in Python, from the files to the weights."""

import pytest
import torch
from safetensors.torch import load_file

from softdiffusion.cli.main import main
from tests.command import TINY
from tests.hub_sets import map_style


@pytest.fixture
def saved(tmp_path):
    """A folder of 30 colour pictures that `save_to_disk` has written."""
    map_style(30).save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def weights(run):
    return load_file(run / "final" / "ema.safetensors")


@pytest.mark.slow
def test_a_training_on_a_saved_data_set_goes_on_to_the_same_weights(saved, tmp_path, capsys):
    train = f"{TINY} --data hub:{saved} --batch_size 16 --cache {tmp_path / 'cache'}"
    train += " --warmup 0 --decay 0"
    main([*train.split(), "--images", "48", "--out", str(tmp_path / "whole")])
    for images in ("16", "48"):
        main([*train.split(), "--images", images, "--out", str(tmp_path / "parts")])
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert "every tenth row is held out as the test split, 3 of 30" in capsys.readouterr().out


def test_a_folder_of_the_hub_is_not_written_into(saved, refused):
    assert "lies in the data" in refused(f"{TINY} --data hub:{saved} --out {saved / 'run'}")
