import pytest
import torch

from softdiffusion import data
from softdiffusion.metrics import ClassEvaluator, FrechetDistance, extractor

DIGITS = extractor("digits-8")


def evaluator(train, test):
    return ClassEvaluator((train.tensor(), train.labels), (test.tensor(), test.labels), DIGITS)


def test_real_images_are_at_the_floor_and_swapped_classes_far_from_it():
    train, test = data.open("digits"), data.open("digits", split="test")
    evaluate = evaluator(train, test)
    images, labels = test.tensor(), test.labels
    for values in evaluate(images, labels).values():
        assert values["frechet"].value == values["frechet"].floor
        assert values["recognised"].value == values["recognised"].floor > 0.9
    swapped = evaluate(images, (labels + 1) % 10)
    assert list(swapped) == list(range(10))
    for values in swapped.values():
        assert values["frechet"].value > 5 * values["frechet"].floor
        assert values["recognised"].value < 0.1


def test_a_class_is_compared_with_its_own_training_images():
    train, test = data.open("digits"), data.open("digits", split="test")
    threes = test.tensor()[test.labels == 3]
    found = evaluator(train, test)(threes, torch.full((len(threes),), 3))
    own = FrechetDistance(DIGITS.extract(train.tensor()[train.labels == 3]))
    assert list(found) == [3]
    assert found[3]["frechet"].value == pytest.approx(float(own(DIGITS.extract(threes))))
    assert found[3]["frechet"].reference_n == int((train.labels == 3).sum())


def test_a_class_of_few_images_is_left_out_and_data_need_labels():
    train, test = data.open("digits"), data.open("digits", split="test")
    found = evaluator(train, test)(test.tensor()[:7], torch.zeros(7).long())
    assert found == {}
    with pytest.raises(ValueError, match="1497 images need as many labels"):
        ClassEvaluator((train.tensor(), train.labels[:5]), (test.tensor(), test.labels), DIGITS)
