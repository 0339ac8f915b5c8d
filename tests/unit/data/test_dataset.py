import random

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset

import softdiffusion as sd
from softdiffusion.data import ArrayImages, DatasetImages, as_set


class Items(Dataset):
    """Items that are made when they are asked for."""

    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        item = self.items[index]
        return item() if callable(item) else item


PIXELS = torch.arange(5 * 3 * 4 * 6, dtype=torch.uint8).reshape(5, 3, 4, 6)
EXPECTED = PIXELS.float() / 127.5 - 1


class Noisy(Dataset):
    """A picture and its class, with a transform that draws from all three generators."""

    def __len__(self):
        return len(EXPECTED)

    def __getitem__(self, index):
        image = EXPECTED[index] * random.uniform(0.5, 1) * np.random.uniform(0.5, 1)
        return image.flip(-1) if torch.rand(()) < 0.5 else image, index % 3


@pytest.mark.parametrize(
    "form",
    [
        lambda pixels: pixels,
        lambda pixels: pixels.numpy(),
        lambda pixels: pixels.float() / 127.5 - 1,
        lambda pixels: (pixels.float() / 127.5 - 1).numpy(),
        lambda pixels: Image.fromarray(pixels.permute(1, 2, 0).numpy()),
    ],
    ids=["bytes", "array of bytes", "floats", "array of floats", "pillow"],
)
@pytest.mark.parametrize(
    "item",
    [
        lambda image, label: image,
        lambda image, label: (image, label),
        lambda image, label: {"image": image, "label": torch.tensor(label), "more": "text"},
    ],
    ids=["image", "pair", "mapping"],
)
def test_items_of_all_kinds(form, item):
    images = DatasetImages(Items(*(item(form(a), i % 3 - 1) for i, a in enumerate(PIXELS))))
    assert images.shape == (3, 4, 6) and len(images) == 5
    assert torch.equal(images.tensor(), EXPECTED)
    assert torch.equal(images.batch(torch.tensor([4, 0, 4])), EXPECTED[[4, 0, 4]])
    assert images.digest() == ArrayImages("same", PIXELS).digest()
    if item(0, 1) == 0:
        assert images.labels is None
    else:
        assert images.labels.tolist() == [-1, 0, 1, -1, 0]


@pytest.mark.parametrize(
    "image",
    [
        EXPECTED[0].double(),
        EXPECTED[0].half(),
        EXPECTED[0].bfloat16(),
        EXPECTED[0].numpy().astype(np.float16),
        EXPECTED[0].numpy().astype(">f8"),
    ],
    ids=["float64", "float16", "bfloat16", "array of float16", "array of big-endian float64"],
)
def test_floats_of_every_precision_become_single(image):
    number = torch.tensor(image.astype(np.float32)) if isinstance(image, np.ndarray) else image
    found = DatasetImages(Items(image)).tensor()
    assert found.dtype == torch.float32 and torch.equal(found[0], number.float())


def test_random_transforms_follow_from_the_seeds_alone():
    images = DatasetImages(Noisy())
    assert images.uses_global_random
    indices, seeds = torch.tensor([0, 3, 3]), torch.tensor([7, 2**62, 9])
    drawn = images.draw(indices, seeds)
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    assert torch.equal(images.draw(indices, seeds), drawn)
    assert torch.equal(images.draw(indices.flip(0), seeds.flip(0)), drawn.flip(0))
    assert not torch.equal(drawn[1], drawn[2])
    assert torch.equal(images.tensor(), images.batch(torch.arange(5)))
    assert images.digest() == DatasetImages(Noisy()).digest()
    assert images.digest() == ArrayImages("same", images.tensor()).digest()


def test_the_generators_of_others_are_left_as_they_were():
    def following():
        return random.random(), np.random.random(), torch.rand(()).item()

    def seed():
        random.seed(0), np.random.seed(0), torch.manual_seed(0)

    seed()
    expected = following()
    seed()
    images = DatasetImages(Noisy())
    images.draw(torch.arange(3), torch.arange(3))
    assert following() == expected


def test_what_draws_from_a_generator_of_its_own_is_refused():
    own = np.random.default_rng(0)
    moving = Items(*[lambda: EXPECTED[0] * own.uniform(0.5, 1)] * 3)
    with pytest.raises(ValueError, match="another image in item 0 of data when it is read again"):
        DatasetImages(moving)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ((), "data holds no images"),
        (([1, 2, 3],), "There are 3 parts in item 0 of data"),
        (
            ({"picture": 1, "label": 2},),
            "no image in item 0 of data, but picture, label; call",
        ),
        ((EXPECTED[0], EXPECTED[0][:, :2]), r"first is \(3, 4, 6\) and item 1 is \(3, 2, 6\); res"),
        (((EXPECTED[0], 1), EXPECTED[1]), "no label in item 1 of data, but others have"),
        (((EXPECTED[0], 1), (EXPECTED[1], -2)), "at least 0, but item 1 has -2"),
        (((EXPECTED[0], 0.5),), "label of item 0 of data must be a whole number .*, but is 0.5"),
        (
            ((EXPECTED[0], 2**70),),
            "must be a whole number of 64 bits, but is 1180591620717411303424",
        ),
        ((EXPECTED[0] * 3,), "must lie in .* but item 0 of data reaches 3"),
        ((EXPECTED[0, 0],), r"image of item 0 of data must be .* of shape \(4, 6\); reshape it"),
        ((EXPECTED[:1],), r"but is of shape \(1, 3, 4, 6\); reshape it"),
        ((PIXELS[0].permute(1, 2, 0).numpy(),), r"last give image.transpose\(2, 0, 1\)"),
        ((PIXELS[0].permute(1, 2, 0),), r"channels last give image.permute\(2, 0, 1\)"),
        ((PIXELS[0].int(),), "must be uint8 or float, but is torch.int32; convert it"),
        ((PIXELS[0].numpy() > 7,), "must be uint8 or float, but is bool; convert it"),
        (((EXPECTED[0] + 1) / 2, (EXPECTED[1] + 1) / 2), "No value of data lies below 0.*2 x - 1"),
        ((Image.new("P", (4, 4)),), r"must be grey \(L\) or colour \(RGB\)"),
    ],
)
def test_items_that_are_no_images_are_refused(items, message):
    with pytest.raises(ValueError, match=message):
        DatasetImages(Items(*items))


def test_bright_bytes_are_images():
    bright = torch.full((1, 2, 2), 200, dtype=torch.uint8)
    assert DatasetImages(Items(bright)).tensor().min() > 0


def test_sets_without_order_or_length_are_refused():
    class Endless(IterableDataset):
        def __iter__(self):
            yield EXPECTED[0]

    class Unending(Dataset):
        def __getitem__(self, index):
            return EXPECTED[0]

    with pytest.raises(
        TypeError, match="data must have an order that can be resumed, but are an Endless; give"
    ):
        DatasetImages(Endless())
    with pytest.raises(TypeError, match="data must have a length, but are an Unending; give"):
        DatasetImages(Unending())
    with pytest.raises(TypeError, match="The images of item 0 of data must be a tensor"):
        DatasetImages(Items("text"))


def test_a_set_of_torch_is_a_set_of_images():
    images = as_set(Noisy())
    assert isinstance(images, DatasetImages) and images.name == "data"
    assert sd.data.as_set(images) is images
