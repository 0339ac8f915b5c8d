import json

import pytest
import torch

from softdiffusion import data
from softdiffusion.metrics import (
    Evaluator,
    FrechetDistance,
    Value,
    eight_bit,
    evaluate,
    extractor,
)

DISTRIBUTION = ("frechet", "kernel", "precision", "recall")
NEARNESS = ("nearest_pixels", "copied_pixels", "nearest_features", "copied_features")


@pytest.fixture(scope="module")
def training():
    return data.load("digits")


@pytest.fixture(scope="module")
def held_out():
    return data.load("digits", split="test")


@pytest.fixture(scope="module")
def evaluator(training, held_out):
    return Evaluator(training, held_out, extractor("digits-8"), groups=4, data="digits")


def test_the_floor_is_what_as_many_test_images_reach(evaluator, training, held_out):
    report = evaluator(held_out)
    for name in DISTRIBUTION:
        value = report.values[name]
        assert (value.n, value.floor_n) == (300, 300)
        # The very same images in another order: the kernel distance draws other subsets.
        tolerance = 0.02 if name == "kernel" else 1e-6
        assert value.value == pytest.approx(value.floor, abs=tolerance)
    classifier = extractor("digits-8")
    distance = FrechetDistance(classifier.extract(training))(classifier.extract(held_out))
    assert report.values["frechet"].value == pytest.approx(distance.item(), rel=1e-9)
    assert report.values["nearest_pixels"].value == report.values["nearest_pixels"].floor == 1


def test_copies_are_seen_by_the_nearness_and_noise_by_the_distances(evaluator, training):
    copies = evaluator(training[:200]).values
    assert copies["copied_pixels"].value == copies["copied_features"].value == 1
    assert copies["nearest_pixels"].value == pytest.approx(0, abs=1e-4)
    assert copies["frechet"].value < 1.2 * copies["frechet"].floor
    noise = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    values = evaluator(noise).values
    assert values["frechet"].value > 20 * values["frechet"].floor
    assert values["kernel"].value > 10 * values["kernel"].error
    assert values["precision"].value < 0.05 < 0.7 < values["precision"].floor
    assert values["copied_pixels"].value == 0


def test_with_more_samples_than_test_images_both_sizes_are_reported(evaluator, training, held_out):
    images = training[:500]
    values = evaluator(images).values
    assert set(values) == {*DISTRIBUTION, *(f"{name}@300" for name in DISTRIBUTION), *NEARNESS}
    assert (values["frechet"].n, values["frechet"].floor_n) == (500, 300)
    assert (values["frechet@300"].n, values["frechet@300"].floor_n) == (300, 300)
    assert "N = 500, floor N = 300 against 1497" in str(values["frechet"])
    assert values["frechet@300"].floor == values["frechet"].floor


def test_no_value_prints_without_floor_n_and_hash(evaluator, held_out):
    report = evaluator(held_out[:100])
    value = report.values["frechet"]
    for text in (str(value), repr(value), f"{value:.1f}", f"{value}"):
        assert "floor" in text
        assert "N = 100" in text
        assert extractor("digits-8").hash in text
    assert f"{value:.1f}".startswith(f"frechet {value.value:.1f} ± ")
    assert str(report).count("(floor ") == len(report.values)
    for line in report.to_markdown().splitlines()[2 : 2 + len(report.values)]:
        assert line.count("|") == 7
    assert extractor("digits-8").hash in report.to_markdown()


def test_json_holds_everything_that_is_needed_to_repeat(evaluator, held_out):
    report = evaluator(held_out[:100])
    plain = json.loads(report.to_json())
    assert plain == report.to_dict()
    assert Value(**plain["values"]["recall"]) == report.values["recall"]
    assert plain["extractor_sha256"] == extractor("digits-8").sha256
    assert plain["sizes"] == {"images": 100, "reference": 1497, "test": 300}
    assert set(plain["versions"]) == {"softdiffusion", "torch", "torchmetrics"}
    assert set(plain["digests"]) == {"images", "reference", "test"}


def test_arrays_and_their_8_bit_files_give_the_same_report(evaluator, held_out):
    noise = torch.randn(held_out.shape, generator=torch.Generator().manual_seed(0))
    images = (held_out + 0.2 * noise)[:100].clamp(-1, 1)
    assert evaluator(images).to_json() == evaluator(eight_bit(images)).to_json()


def test_the_function_equals_the_class_and_repeats(evaluator, training, held_out):
    options = {"groups": 4, "data": "digits"}
    report = evaluate(held_out[:50], training, held_out, extractor("digits-8"), **options)
    assert report == evaluator(held_out[:50])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 1, 8, 8), r"Images must be at least 8 .*, but there are 1;"),
        (torch.zeros(9, 1, 9, 9), r"Images have shape \(1, 9, 9\), but training images have"),
        (torch.full((9, 1, 8, 8), torch.nan), "Images must be finite"),
        (torch.full((9, 1, 8, 8), -1.5), r"Images must lie in \[-1, 1\].*clamp\(-1, 1\)"),
    ],
)
def test_bad_samples_are_refused_in_one_sentence(evaluator, images, message):
    with pytest.raises(ValueError, match=message):
        evaluator(images)


def test_an_extractor_of_another_size_is_refused(training, held_out):
    with pytest.raises(ValueError, match=r"fashion-mnist-28 takes images of shape \(1, 28, 28\)"):
        Evaluator(training, held_out, extractor("fashion-mnist-28"))
