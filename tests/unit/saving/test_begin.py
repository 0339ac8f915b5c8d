"""Beginning a training from the weights of a saved model."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DataParallel

import softdiffusion as sd
from softdiffusion.saving import begin_from, model_digest
from tests.registry import process


def tiny(seed: int, own=None, preconditioning=None, **settings) -> sd.Denoiser:
    torch.manual_seed(seed)
    network = sd.SmallUNet(1, **{"width": 8, "multipliers": (1,), "attention": False} | settings)
    return sd.Denoiser(network, own or process(), preconditioning)


@pytest.fixture
def saved(tmp_path):
    """A model, and where it is saved."""
    model = tiny(0)
    sd.save(tmp_path / "model", model)
    return model, tmp_path / "model"


def equal(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(ours[k].equal(theirs[k]) for k in ours)


def test_of_the_same_kind_all_weights_are_taken_and_nothing_is_said(saved):
    model, path = saved
    denoiser = tiny(1)
    assert not equal(denoiser, model)
    assert begin_from(denoiser, path) == ()
    assert equal(denoiser, model)
    assert all(weight.requires_grad for weight in denoiser.parameters())


def test_wrappers_and_precision_stay(saved):
    model, path = saved
    denoiser = tiny(1).double()
    denoiser.backbone = DataParallel(denoiser.backbone)
    begin_from(denoiser, path)
    assert equal(denoiser.backbone.module, model.backbone.double())


def test_another_process_and_preconditioning_stay_and_are_named(saved):
    model, path = saved
    other = sd.SoftDiffusion(
        sd.FadingMask(), sd.Schedule(sd.schedules.Linear(0, 1), process().schedule.sigma)
    )
    denoiser = tiny(1, other, sd.EDM(0.5))
    notes = begin_from(denoiser, path)
    assert equal(denoiser.backbone, model.backbone)
    assert denoiser.process is other and isinstance(denoiser.preconditioning, sd.EDM)
    told = {note.partition(":")[0] for note in notes}
    assert {"process.corruption", "preconditioning"} <= told
    assert "preconditioning: EDM instead of Residual" in notes


def test_numbers_of_the_process_are_named(tmp_path):
    def masked(value):
        mask = torch.full((1, 4, 4), value)
        schedule = sd.Schedule(sd.schedules.Linear(0, 1), process().schedule.sigma)
        return sd.SoftDiffusion(sd.MaskImage(mask), schedule)

    sd.save(tmp_path / "model", tiny(0, masked(0.5)))
    assert begin_from(tiny(1, masked(0.5)), tmp_path / "model") == ()
    (note,) = begin_from(tiny(1, masked(0.25)), tmp_path / "model")
    assert note == "process.corruption.mask has other numbers"


def test_settings_of_the_network_that_fit_its_weights_are_named(saved):
    assert begin_from(tiny(1, dropout=0.25), saved[1]) == ("backbone.dropout: 0.25 instead of 0.0",)


def test_classes_begin_anew_and_are_named(saved):
    model, path = saved
    denoiser = tiny(1, classes=3)
    label = denoiser.backbone.label.weight.clone()
    notes = begin_from(denoiser, path)
    assert "backbone.label.weight begin anew, for the model has none" in notes
    assert torch.equal(denoiser.backbone.label.weight, label)
    for name, tensor in model.state_dict().items():
        assert torch.equal(denoiser.state_dict()[name], tensor)


def test_other_names_of_the_classes_are_told(tmp_path):
    sd.save(tmp_path / "model", tiny(0, classes=2), classes=("cat", "dog"))
    assert begin_from(tiny(1, classes=2), tmp_path / "model", classes=("cat", "dog")) == ()
    (note,) = begin_from(tiny(1, classes=2), tmp_path / "model", classes=("dog", "cat"))
    assert note == "classes: ['dog', 'cat'] instead of ['cat', 'dog']"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 16}, "backbone.width: 16 instead of 8.* do not fit .* is .* here"),
        ({"multipliers": (1, 2)}, "backbone.multipliers: .* choose the same network"),
    ],
)
def test_another_network_is_refused_and_stays_as_it_was(settings, message, saved):
    denoiser = tiny(1, **settings)
    with pytest.raises(ValueError, match=message):
        begin_from(denoiser, saved[1])
    assert equal(denoiser, tiny(1, **settings))


def test_what_the_model_has_learned_is_not_dropped(tmp_path):
    sd.save(tmp_path / "model", tiny(0, classes=3))
    with pytest.raises(ValueError, match="backbone.label.weight has no place here"):
        begin_from(tiny(1), tmp_path / "model")


def test_the_digest_is_that_of_the_files(saved, tmp_path):
    model, path = saved
    sd.save(tmp_path / "same", model)
    sd.save(tmp_path / "other", tiny(1))
    assert model_digest(path) == model_digest(tmp_path / "same") != model_digest(tmp_path / "other")
