"""A folder takes the training that it was made for, and no other."""

import dataclasses
import json
import os

import pytest
import torch

import softdiffusion as sd
from softdiffusion import training as sd_training
from softdiffusion.data import ArrayImages
from softdiffusion.training import described, enough_memory
from tests.registry import process

IMAGES = torch.linspace(-1, 1, 6 * 16).reshape(6, 1, 4, 4)
LABELS = torch.tensor([0, 1, 0, 1, 0, 1])


def claim(out, **arguments):
    return sd_training.claim(out, described(**arguments))


def training(**changes):
    """The arguments of a claim, with some of them changed."""
    arguments = {
        "data": ArrayImages("ramp", IMAGES, LABELS),
        "denoiser": sd.Denoiser(sd.SmallUNet(1, 8, (1,), classes=2), process()),
        "objective": sd.SoftScoreMatching(),
        "options": sd.TrainingOptions(batch_size=2),
        "seed": 0,
        "flips": False,
        "turns": False,
        "init": None,
    }
    return arguments | changes


def test_the_same_training_may_come_again(tmp_path):
    claim(tmp_path, **training())
    before = (tmp_path / "training.json").read_bytes()
    free = {"log_every": 1, "checkpoint_every": 1, "decay": 4, "accumulate": 2, "workers": 1}
    options = dataclasses.replace(training()["options"], **free)
    claim(tmp_path, **training(options=options))
    assert (tmp_path / "training.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["training.json"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"data": ArrayImages("ramp", IMAGES.flip(0), LABELS)}, "data"),
        ({"data": ArrayImages("ramp", IMAGES, 1 - LABELS)}, "labels"),
        ({"denoiser": sd.Denoiser(sd.SmallUNet(1, 8, (1, 2), classes=2), process())}, "denoiser"),
        ({"objective": sd.CleanRegression(), "seed": 1}, "objective and seed"),
        ({"options": sd.TrainingOptions(batch_size=3)}, "options"),
        ({"flips": True}, "flips"),
        ({"turns": True}, "turns"),
    ],
)
def test_another_training_is_refused(changes, parts, tmp_path):
    claim(tmp_path, **training())
    before = (tmp_path / "training.json").read_bytes()
    with pytest.raises(ValueError, match=rf"another configuration of {parts} \(see .*; choose"):
        claim(tmp_path, **training(**changes))
    assert (tmp_path / "training.json").read_bytes() == before


def test_a_run_from_before_a_setting_goes_on_without_it(tmp_path):
    """What came later stands in the file only where it is used."""
    claim(tmp_path, **training())
    known = json.loads((tmp_path / "training.json").read_text())
    assert known.keys() == {
        *("denoiser", "objective", "tensors", "options", "seed", "flips", "data", "labels")
    }
    assert not {"weight_decay", "ema_lengths"} & known["options"].keys()
    options = dataclasses.replace(training()["options"], weight_decay=0.1)
    with pytest.raises(ValueError, match="another configuration of options"):
        claim(tmp_path, **training(options=options))


def test_kernels_are_told_by_their_values(tmp_path):
    def denoiser(middle):
        kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, middle, 1.0], [0.0, 1.0, 0.0]])
        schedule = sd.schedules.linear((0.0, 1.0), (0.02, 0.2))
        blurred = sd.SoftDiffusion(sd.KernelBlur(kernel / kernel.sum()), schedule)
        return sd.Denoiser(sd.SmallUNet(1, 8, (1,), classes=2), blurred)

    claim(tmp_path, **training(denoiser=denoiser(4.0)))
    claim(tmp_path, **training(denoiser=denoiser(4.0)))
    with pytest.raises(ValueError, match=r"another configuration of tensors"):
        claim(tmp_path, **training(denoiser=denoiser(5.0)))


def test_data_are_told_by_their_values(tmp_path):
    """The same images by another name are the same data; labels count for classes only."""
    plain = sd.Denoiser(sd.SmallUNet(1, 8, (1,)), process())
    claim(tmp_path, **training(denoiser=plain))
    claim(tmp_path, **training(denoiser=plain, data=ArrayImages("line", IMAGES)))
    claim(tmp_path, **training(denoiser=plain, data=ArrayImages("ramp", IMAGES, 1 - LABELS)))
    with pytest.raises(ValueError, match="another configuration of data"):
        claim(tmp_path, **training(denoiser=plain, data=ArrayImages("ramp", IMAGES[:5])))


def test_a_claim_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="has 2 classes, but the data have no labels"):
        claim(tmp_path / "new", **training(data=ArrayImages("ramp", IMAGES)))
    assert not (tmp_path / "new").exists()


def test_a_damaged_record_is_not_guessed(tmp_path):
    claim(tmp_path, **training())
    file = tmp_path / "training.json"
    file.write_text(file.read_text()[:100])
    with pytest.raises(ValueError, match=r"training.json is damaged .* choose another folder"):
        claim(tmp_path, **training())
    file.write_text(json.dumps({}))  # a record of an earlier version
    with pytest.raises(ValueError, match="configuration of denoiser and objective and options"):
        claim(tmp_path, **training())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": 0}, "at least 1 image to train on, not 0"),
        ({"prior": sd.DataPrior(process(), IMAGES)}, "A DataPrior isn't saved"),
        (
            {"prior": sd.GaussianPrior(sd.presets.ve().process, IMAGES[0], IMAGES[1:2])},
            "starts another process than the one that the denoiser undoes",
        ),
    ],
)
def test_what_could_not_be_saved_is_refused_before_the_training(changes, message, tmp_path):
    arguments = training()
    given = {"images": 6, "out": tmp_path / "new"} | changes
    with pytest.raises(ValueError, match=message):
        sd.train(arguments["data"], arguments["denoiser"], arguments["objective"], **given)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.clone().fill_(torch.nan), "Images of data must be finite"),
        (IMAGES * 127.5 + 127.5, r"must lie in \[-1, 1\], but data reaches 255"),
        (IMAGES.double(), "uint8 or float32 .* but data is torch.float64"),
    ],
)
def test_images_that_are_none_are_refused_before_the_training(images, message, tmp_path):
    denoiser = sd.Denoiser(sd.SmallUNet(1, 8, (1,)), process())
    with pytest.raises(ValueError, match=message):
        sd.train(images, denoiser, sd.StepMatched(10), 6, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written_is_refused_first(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="Nothing can be written in .*; choose another"):
        sd.train(**training(), images=6, out=tmp_path / "new")


def test_a_loss_that_is_not_finite_from_the_start_does_not_blame_the_rate(tmp_path):
    """And the folder is free for another configuration."""
    denoiser = sd.Denoiser(sd.SmallUNet(1, 8, (1,)), process())
    with torch.no_grad():
        denoiser.backbone.last[-1].bias.fill_(torch.inf)
    given = {"images": 6, "out": tmp_path, "options": sd.TrainingOptions(batch_size=2)}
    with pytest.raises(ValueError, match="not finite after 0 images; check the schedule") as error:
        sd.train(IMAGES, denoiser, sd.CleanRegression(), **given)
    assert "learning rate" not in str(error.value)
    good = sd.Denoiser(sd.SmallUNet(1, 8, (1, 2)), process())
    sd.train(IMAGES, good, sd.StepMatched(10), **given, seed=3)
    assert (tmp_path / "final").is_dir()


def test_grids_of_four_channels_are_refused_before_the_training(tmp_path):
    denoiser = sd.Denoiser(sd.SmallUNet(4, 8, (1,)), process())
    images = IMAGES.expand(-1, 4, -1, -1).contiguous()
    with pytest.raises(ValueError, match="1 or 3 channels, but these have 4; set sample_every"):
        sd.train(
            images,
            denoiser,
            sd.StepMatched(10),
            6,
            out=tmp_path / "new",
            prior=sd.GaussianPrior.fit(process(), images, max_modes=2),
            options=sd.TrainingOptions(sample_every=2),
        )
    assert not (tmp_path / "new").exists()


def test_memory_that_there_is_not_is_said_in_a_sentence():
    said = enough_memory("A step of 64 images", "lower --batch_size or --size")
    sentence = "^A step .* memory .* 4 PB at once; lower --batch_size"
    with pytest.raises(ValueError, match=sentence), said:
        torch.empty(10**15)
    sentence = "^The fit needs more memory than there is; lower --size"
    with pytest.raises(ValueError, match=sentence), enough_memory("The fit", "lower --size"):
        raise MemoryError
    with pytest.raises(RuntimeError, match="must match"), enough_memory("A step", "lower it"):
        torch.zeros(2) + torch.zeros(3)
