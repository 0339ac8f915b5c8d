"""Models of other averages, made by the command."""

import pytest
import torch

import softdiffusion as sd
from softdiffusion.cli.main import main
from softdiffusion.saving import class_names
from softdiffusion.training.averages import Averages
from tests.command import contents
from tests.registry import process


@pytest.fixture
def run(tmp_path):
    """The folder of a run that has kept averages of weights that moved."""
    torch.manual_seed(0)
    denoiser = sd.Denoiser(sd.SmallUNet(1, width=8, multipliers=(1,), classes=2), process())
    prior = sd.GaussianPrior.fit(denoiser.process, torch.rand(9, 1, 8, 8) * 2 - 1)
    folder = tmp_path / "run"
    averages = Averages(denoiser, (0.05, 0.1), folder)
    for images in range(8, 81, 8):
        with torch.no_grad():
            for weight in denoiser.parameters():
                weight.add_(0.01 * torch.randn_like(weight))
        averages.update(denoiser)
        averages.keep(images)
    sd.save(folder / "final", denoiser, prior, classes=("cat", "dog"))
    (folder / "recipe.yaml").write_text("data: digits\nsize: 8\nchannels: 1\nimages: 80\n")
    return folder


def ended(capsys, arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code
    return str(ended.value.code) + capsys.readouterr().err


def test_models_of_two_lengths_can_be_put_to_work(run, tmp_path, capsys):
    out = tmp_path / "new"
    main(f"ema --model {run} --length 0.05 0.075 --out {out} --dry_run true".split())
    assert capsys.readouterr().out.count("after 80 images, from 20 averages") == 2
    assert not out.exists()
    main(f"ema --model {run} --length 0.05 0.075 --out {out}".split())
    models = {length: sd.load(out / f"length-{length}") for length in ("0.05", "0.075")}
    for denoiser, prior in models.values():
        assert isinstance(denoiser, sd.Denoiser) and isinstance(prior, sd.GaussianPrior)
    first, second = (model.state_dict() for model, _ in models.values())
    assert any(not torch.equal(first[name], second[name]) for name in first)
    assert class_names(out / "length-0.05") == ("cat", "dog")
    main(f"info --model {out / 'length-0.075'}".split())
    assert "digits" in capsys.readouterr().out
    main(
        f"sample --model {out / 'length-0.075'} --out {tmp_path / 's'} --count 2 --steps 2".split()
    )
    assert (tmp_path / "s" / "grid.png").exists()


def test_a_length_that_was_kept_is_what_was_kept(run, tmp_path):
    from safetensors.torch import load_file

    main(f"ema --model {run} --length 0.1 --images 40 --out {tmp_path / 'new'}".split())
    made = load_file(tmp_path / "new" / "length-0.1" / "ema.safetensors")
    kept = load_file(run / "averages" / "0.1-000000000040.safetensors")
    assert made.keys() == kept.keys()
    for name, tensor in kept.items():
        torch.testing.assert_close(made[name], tensor, rtol=1e-6, atol=1e-7)
    assert "images: 40" in (tmp_path / "new" / "recipe.yaml").read_text()


def test_what_can_not_be_done_is_said_and_changes_nothing(run, tmp_path, capsys):
    before = contents(tmp_path)
    command = f"ema --model {run} --out {tmp_path / 'new'}"
    assert "ask for 0." in ended(capsys, f"{command} --length 0.005")
    assert "must be in [0.001, 0.2887]" in ended(capsys, f"{command} --length 0.5")
    assert "after 8 images" in ended(capsys, f"{command} --length 0.1 --images 3")
    told = ended(capsys, f"ema --model {run} --length 0.1 --images 40 --out {run}")
    assert "recipe.yaml is the recipe of other models; choose another --out" in told
    told = ended(capsys, f"{command} --length 0.1 0.1000000001")
    assert "The length 0.1 of an average is there twice" in told
    told = ended(capsys, f"ema --model {run / 'final'} --length 0.1 --out {tmp_path / 'new'}")
    assert "has kept no averages" in told
    assert contents(tmp_path) == before


@pytest.mark.parametrize("recipe", [True, False], ids=["with-recipe", "trained-in-python"])
def test_models_after_other_images_are_not_written_over(run, tmp_path, capsys, recipe):
    if not recipe:
        (run / "recipe.yaml").unlink()
    command = f"ema --model {run} --length 0.1 --out {tmp_path / 'new'}"
    main(f"{command} --images 40".split())
    before = contents(tmp_path)
    assert "the recipe of other models" in ended(capsys, f"{command} --images 80")
    assert contents(tmp_path) == before
    main(f"{command} --images 40".split())
    main(f"info --model {tmp_path / 'new' / 'length-0.1'}".split())
    assert "images seen  40" in capsys.readouterr().out


def test_a_damaged_average_leaves_the_folder_to_other_models(run, tmp_path, capsys):
    last = run / "averages" / "0.1-000000000080.safetensors"
    last.write_bytes(last.read_bytes()[:-8])
    command = f"ema --model {run} --length 0.1 --out {tmp_path / 'new'}"
    ended(capsys, command)
    assert not (tmp_path / "new").exists()
    main(f"{command} --images 40".split())
