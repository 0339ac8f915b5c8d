import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.data import ArrayImages


@given(st.integers(1, 5), st.integers(0, 2**32))
def test_batches_agree_with_the_whole(count, seed):
    g = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, 4, 5), dtype=torch.uint8, generator=g)
    images = ArrayImages("some", pixels)
    indices = torch.randint(0, count, (7,), generator=g)
    assert images.shape == (3, 4, 5)
    assert len(images) == count
    assert images.tensor().dtype == torch.float32
    assert torch.equal(images.batch(indices), images.tensor()[indices])
    assert torch.equal(((images.tensor() + 1) * 127.5).round().to(torch.uint8), pixels)


def test_the_ends_of_the_range_are_exact():
    ends = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    assert ArrayImages("ends", ends).tensor().flatten().tolist() == [-1.0, 1.0]


def test_the_digest_depends_on_content_order_and_shape_not_on_storage():
    pixels = torch.arange(64, dtype=torch.uint8).reshape(4, 1, 4, 4)
    images = ArrayImages("a", pixels)
    assert images.digest() == ArrayImages("b", images.tensor()).digest()
    others = [pixels.flip(0), pixels.reshape(4, 1, 2, 8), pixels[:3], pixels + 1]
    digests = {ArrayImages("c", other).digest() for other in others}
    assert len(digests | {images.digest()}) == 5


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(0, 1, 2, 2), "no images"),
        (torch.full((1, 1, 2, 2), float("nan")), "must be finite"),
        (torch.full((1, 1, 2, 2), float("-inf")), "must be finite"),
        (torch.full((1, 1, 2, 2), 1.5), "reaches 1.5"),
        (torch.zeros(1, 2, 2), "shape"),
        (torch.zeros(1, 1, 2, 2, dtype=torch.int64), "uint8 or float32"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(ValueError, match=message):
        ArrayImages("some", images)


def test_labels_must_match():
    with pytest.raises(ValueError, match="one label an image"):
        ArrayImages("some", torch.zeros(3, 1, 2, 2), torch.zeros(2, dtype=torch.int64))


def test_arrays_of_numpy_are_images():
    pixels = np.random.default_rng(0).random((3, 1, 4, 5)) * 2 - 1
    expected = torch.from_numpy(pixels).float()
    for array in (pixels, pixels.astype(np.float32), pixels[::-1][::-1], pixels.astype(">f4")):
        images = ArrayImages("some", array, np.array([0, 2, 1], np.int32), "abc")
        assert torch.equal(images.tensor(), expected)
        assert images.labels.dtype == torch.int64 and images.labels.tolist() == [0, 2, 1]
        assert images.classes == ("a", "b", "c")
    bits = np.arange(60, dtype=np.uint8).reshape(3, 1, 4, 5)
    assert torch.equal(ArrayImages("some", bits).images, torch.from_numpy(bits))


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), ValueError, r"give array.transpose\(0, 3, 1, 2\)"),
        (np.zeros((2, 1, 8, 8), np.int16), ValueError, "type is int16; convert it"),
        (np.zeros((2, 1, 8, 8), complex), ValueError, "type is complex128"),
        (np.full((2, 1, 8, 8), None), ValueError, "type is object"),
        ([[[[0.0]]]], TypeError, "images of some must be a tensor or a NumPy array.* type list"),
        (None, TypeError, "type NoneType"),
        (torch.zeros(2, 1, 0, 4), ValueError, "of at least one pixel"),
    ],
)
def test_other_things_are_refused(images, error, message):
    with pytest.raises(error, match=message):
        ArrayImages("some", images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 3]), "at most 2, the last class, but one is 3"),
        (torch.tensor([-2, 0]), "but one is -2"),
        (torch.tensor([0.0, 1.0]), "whole numbers"),
    ],
)
def test_labels_have_classes(labels, message):
    with pytest.raises(ValueError, match=message):
        ArrayImages("some", torch.zeros(2, 1, 2, 2), labels, ("a", "b", "c"))
