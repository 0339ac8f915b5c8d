"""What a training does beside its steps leaves them as they are, and goes on after a stop."""

import pytest
import torch

import softdiffusion as sd
from tests.command import contents
from tests.registry import process
from tests.unit.training.test_train import IMAGES, Gain, rows, run

HELD_OUT = IMAGES.flip(-1)
EXTRAS = {"validate_every": 16, "track": ("tensorboard",), "ema_lengths": (0.05, 0.1)}


def extended(out, images, denoiser=None, **changes):
    settings = {"batch_size": 8, "warmup": 0, "log_every": 8, "ema_every": 16} | EXTRAS
    denoiser = denoiser or sd.Denoiser(Gain(), process())
    trained = sd.train(
        IMAGES,
        denoiser,
        sd.StepMatched(10, soft_share=0.1),
        images,
        out=out,
        held_out=HELD_OUT,
        options=sd.TrainingOptions(**settings | changes),
        progress=False,
    )
    return denoiser, trained


def test_validation_trackers_and_averages_change_no_weight(tmp_path):
    pytest.importorskip("tensorboard")
    plain, plain_average = run(tmp_path / "plain", 96)
    extra, extra_average = extended(tmp_path / "extra", 96)
    assert torch.equal(plain.backbone.weight, extra.backbone.weight)
    assert torch.equal(plain_average.backbone.weight, extra_average.backbone.weight)
    for one, other in zip(rows(tmp_path / "plain"), rows(tmp_path / "extra"), strict=True):
        assert (one["loss"], one["images"]) == (other["loss"], other["images"])
    measured = [row["images"] for row in rows(tmp_path / "extra") if "validation_loss" in row]
    assert measured == list(range(16, 97, 16))


def test_all_of_it_goes_on_where_it_was(tmp_path):
    extended(tmp_path / "whole", 96, track=())
    extended(tmp_path / "parts", 40, track=())
    extended(tmp_path / "parts", 96, track=())
    told = [
        [(row["images"], row["loss"], row.get("validation_loss")) for row in rows(tmp_path / name)]
        for name in ("whole", "parts")
    ]
    assert told[0] == told[1]
    kept = [contents(tmp_path / name / "averages") for name in ("whole", "parts")]
    assert kept[0].items() <= kept[1].items()
    # One more was kept where the first part ended.
    assert len(kept[1]) == len(kept[0]) + 2 == 2 * 6 + 2


def test_images_that_are_held_out_need_an_interval_and_the_shape(tmp_path):
    with pytest.raises(ValueError, match="an interval, but validate_every is 0; give both"):
        extended(tmp_path, 8, validate_every=0)
    with pytest.raises(ValueError, match="an interval, but none are given; give both"):
        run(tmp_path, 8, validate_every=8)


def test_a_training_begins_with_the_weights_of_a_model(tmp_path):
    """In a folder of its own, which belongs to that model from then on."""
    _, average = run(tmp_path / "first", 32)
    began = {"out": tmp_path / "second", "init": tmp_path / "first", "progress": False}
    options = sd.TrainingOptions(batch_size=8, warmup=0, log_every=8, learning_rate=1e-9)
    denoiser = sd.Denoiser(Gain(), process())
    sd.train(IMAGES, denoiser, sd.SoftScoreMatching(), 8, options=options, **began)
    torch.testing.assert_close(denoiser.backbone.weight, average.backbone.weight)
    went_on = sd.Denoiser(Gain(), process())
    sd.train(IMAGES, went_on, sd.SoftScoreMatching(), 16, options=options, **began)
    torch.testing.assert_close(went_on.backbone.weight, average.backbone.weight)
    other = sd.Denoiser(Gain(), process())
    with pytest.raises(ValueError, match="another configuration of init"):
        sd.train(
            IMAGES, other, sd.SoftScoreMatching(), 24, options=options, **began | {"init": None}
        )
