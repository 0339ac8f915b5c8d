import pytest
import torch

import softdiffusion as sd
from tests.registry import IMAGES, TIMES, class_denoiser, diffusers_network, process, randomised

LABELS = torch.tensor([0, 2, -1])


def predict(denoiser, labels=None):
    with torch.no_grad():
        return denoiser(IMAGES, TIMES, labels)


def test_the_class_changes_the_prediction_and_an_open_one_is_none():
    denoiser = class_denoiser()
    free, told = predict(denoiser), predict(denoiser, LABELS)
    assert not torch.allclose(free[:2], told[:2])
    torch.testing.assert_close(free[2], told[2])


def test_guidance_is_the_line_through_both_predictions():
    denoiser = class_denoiser()
    free, told = predict(denoiser), predict(denoiser, LABELS)
    for scale in (0.0, 1.0, 2.5):
        guided = predict(sd.GuidedDenoiser(denoiser, scale), LABELS)
        torch.testing.assert_close(guided, (1 - scale) * free + scale * told)
    torch.testing.assert_close(predict(sd.GuidedDenoiser(denoiser, 2.5)), free)


def test_one_time_serves_all():
    guided = sd.GuidedDenoiser(class_denoiser(), 2.0)
    with torch.no_grad():
        one = guided(IMAGES, torch.tensor(0.5), LABELS)
        each = guided(IMAGES, torch.full((3,), 0.5), LABELS)
    torch.testing.assert_close(one, each)


def test_wrappers_pass_the_class_on():
    denoiser = class_denoiser()
    told = predict(denoiser, LABELS)
    torch.testing.assert_close(predict(sd.EMA(denoiser), LABELS), told)
    torch.testing.assert_close(predict(sd.ClippedDenoiser(denoiser, -9, 9), LABELS), told)
    assert sd.EMA(sd.ClippedDenoiser(denoiser)).classes == 3


def test_the_diffusers_network_hears_the_class():
    pytest.importorskip("diffusers")
    plain = diffusers_network()
    network = randomised(
        sd.DiffusersUNet(1, size=(6, 5), width=32, multipliers=(1, 1), blocks=1, classes=3)
    )
    denoiser = sd.Denoiser(network, process())
    free, told = predict(denoiser), predict(denoiser, LABELS)
    assert not torch.allclose(free[:2], told[:2])
    torch.testing.assert_close(free[2], told[2])
    with pytest.raises(ValueError, match="knows no classes"):
        predict(sd.Denoiser(plain, process()), LABELS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 1]), "3 images need 3 labels of type int64"),
        (torch.tensor([0.0, 1.0, 2.0]), "the labels are torch.float32"),
        (torch.tensor([0, 1, 3]), "in [0, 2], or be -1 for no class, but one is 3"),
        (torch.tensor([0, -2, 1]), "but one is -2"),
    ],
)
def test_wrong_labels_are_refused(labels, message):
    with pytest.raises(ValueError) as error:
        predict(class_denoiser(), labels)
    assert message in str(error.value)


def test_models_without_classes_are_refused():
    plain = sd.Denoiser(sd.SmallUNet(1, 8, (1, 2)), process())
    with pytest.raises(ValueError, match="Guidance needs a model with classes"):
        sd.GuidedDenoiser(plain, 2.0)
    with pytest.raises(ValueError, match="the model knows no classes"):
        predict(plain, LABELS)
    with pytest.raises(ValueError, match="scale must be finite and >= 0, but is -1"):
        sd.GuidedDenoiser(class_denoiser(), -1.0)
