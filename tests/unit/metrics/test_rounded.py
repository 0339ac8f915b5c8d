import pytest
import torch

from softdiffusion import data
from softdiffusion.metrics import Evaluator, Rounded, digest, eight_bit, extractor

IMAGES = torch.rand(7, 3, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_rounded_images_are_those_of_eight_bits_in_a_quarter_of_the_memory():
    rounded = Rounded.of(IMAGES.split(3))
    assert (len(rounded), rounded.shape) == (7, IMAGES.shape)
    assert rounded.levels.nbytes * 4 == IMAGES.nbytes
    assert torch.equal(rounded.floats(), eight_bit(IMAGES))
    assert rounded.digest() == digest(IMAGES)
    chosen = torch.tensor([5, 0])
    assert torch.equal(rounded[chosen].floats(), eight_bit(IMAGES[chosen]))
    assert torch.equal(torch.cat([part.levels for part in rounded.split(2)]), rounded.levels)


def test_a_set_is_not_made_of_what_is_no_image():
    with pytest.raises(ValueError, match="finite"):
        Rounded.of([IMAGES, IMAGES * torch.nan])


def test_an_evaluation_of_rounded_images_is_that_of_the_images():
    """With their features, too, where those are known."""
    train, test = data.load("digits")[:300], data.load("digits", split="test")
    features = extractor("digits-8")
    reports = [
        Evaluator(train, test[:50], features)(test[50:90]),
        Evaluator(Rounded.of([train]), Rounded.of([test[:50]]), features)(
            Rounded.of([test[50:90]]), features.extract(test[50:90])
        ),
    ]
    assert reports[0] == reports[1]
