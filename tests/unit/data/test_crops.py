"""Windows are a function of their seeds, show the pictures' own pixels, and cover all of them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import softdiffusion.data as data

SIZES = [(40, 90), (70, 64), (16, 200), (16, 16), (130, 130)]


def coordinates(height, width):
    """A picture whose pixels say where they are."""
    rows, columns = np.indices((height, width), dtype=np.uint8)
    return np.stack([rows, columns, np.full_like(rows, height)], 2)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    for i, size in enumerate(SIZES):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(coordinates(*size)).save(path)
    return folder


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache"


def opened(folder, kept, **options):
    return data.open(f"folder:{folder}", cache=kept, **options)


def levels(images):
    return ((images + 1) * 127.5).round().long()


def order(images):
    """Height and width of the pictures in their order: those of a, then of b."""
    names = map(images.pictures.named, range(len(images.pictures)))
    return [SIZES[int(Path(name).stem)] for name in names]


def test_windows_show_the_own_pixels_of_their_pictures(folder, kept):
    images = opened(folder, kept, crop=16)
    assert images.shape == (3, 16, 16) and len(images) == 10_000
    drawn = levels(images.draw(torch.arange(500) % 5, torch.arange(500) * 7919))
    for i, crop in enumerate(drawn):
        height, width = order(images)[i % 5]
        top, left = int(crop[0, 0, 0]), int(crop[1, 0, 0])
        assert top + 16 <= height and left + 16 <= width
        expected = coordinates(height, width)[top : top + 16, left : left + 16]
        assert torch.equal(crop, torch.from_numpy(expected.transpose(2, 0, 1)).long())


def test_all_places_are_equally_likely(folder, kept):
    images = opened(folder, kept, crop=16)
    index = order(images).index((16, 200))  # 185 places in one row
    drawn = levels(images.draw(torch.full((18_500,), index), torch.arange(18_500)))
    counts = drawn[:, 1, 0, 0].bincount(minlength=185)
    assert len(counts) == 185 and counts.min() > 0  # both ends as well
    # The sum of squared deviations over the expected 100 is chi-squared with 184 degrees of
    # freedom: a mean of 184, and a standard deviation of sqrt(368).
    assert abs(float((counts - 100).square().sum() / 100) - 184) < 5 * 368**0.5


def test_a_window_depends_on_its_seed_and_picture_alone(folder, kept):
    images = opened(folder, kept, crop=16, crop_scale=0.3)
    indices, seeds = torch.arange(40) % 5, torch.randperm(40) + 2**62
    whole = images.draw(indices, seeds)
    shuffled = torch.randperm(40)
    assert torch.equal(images.draw(indices[shuffled], seeds[shuffled]), whole[shuffled])
    again = opened(folder, kept, crop=16, crop_scale=0.3)
    alone = [again.draw(indices[i : i + 1], seeds[i : i + 1]) for i in range(40)]
    assert torch.equal(torch.cat(alone), whole)
    assert not torch.equal(images.draw(indices, seeds + 1), whole)
    assert not torch.equal(
        images.draw(torch.arange(40), torch.arange(40)), images.batch(torch.arange(40))
    )


class Batches(torch.utils.data.Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return 12

    def __getitem__(self, number):
        indices = torch.arange(8) + 8 * number
        return self.images.draw(indices % 5, indices + 17)


@pytest.mark.parametrize("workers", [1, 2])
def test_windows_are_the_same_with_any_number_of_workers(folder, kept, workers):
    images = opened(folder, kept, crop=16, crop_scale=0.5)
    alone = torch.cat([Batches(images)[i] for i in range(12)])
    loader = DataLoader(Batches(images), batch_size=None, num_workers=workers)
    assert torch.equal(torch.cat(list(loader)), alone)


def test_fixed_crops_are_windows_of_all_pictures_in_turn(folder, kept):
    images = opened(folder, kept, crop=16)
    chosen = torch.arange(0, 10_000, 101)
    crops = images.batch(chosen)
    assert torch.equal(crops, opened(folder, kept, crop=16).batch(chosen))
    heights = levels(crops)[:, 2, 0, 0].tolist()
    assert heights == [order(images)[i % 5][0] for i in chosen]
    assert len(crops.unique(dim=0)) > 0.9 * 0.8 * len(crops)  # one picture has but one window
    assert images.classes == ("a", "b")
    assert torch.equal(images.labels, torch.tensor([0, 0, 0, 1, 1]).repeat(2000))


def test_a_scale_shows_more_of_a_picture(folder, kept):
    images = opened(folder, kept, crop=16, crop_scale=0.25)
    index = order(images).index((130, 130))
    drawn = levels(images.draw(torch.full((2000,), index), torch.arange(2000)))
    # From the third row to the third last, the filter does not touch the border.
    spans = (drawn[:, 0, -4, 8] - drawn[:, 0, 3, 8]).double() / 9  # pixels a step, up to rounding
    assert spans.min() > 0.9 and spans.max() < 4.2
    # Its logarithm is uniform on [0, log 4]; the third term is the rounding of sides and levels.
    logs = spans.log()
    assert abs(logs.mean() - np.log(2)) < 5 * np.log(4) / 12**0.5 / 2000**0.5 + 0.02
    small = order(images).index((16, 16))  # no larger window fits
    alone = levels(images.draw(torch.full((20,), small), torch.arange(20)))
    assert torch.equal(alone, alone[:1].expand(20, -1, -1, -1))


def test_a_larger_window_is_resized_without_aliasing(tmp_path, kept):
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    (tmp_path / "pictures").mkdir()
    Image.fromarray(checks).save(tmp_path / "pictures/0.png")
    images = opened(tmp_path / "pictures", kept, crop=8, crop_scale=0.125)
    crops = images.draw(torch.zeros(200, dtype=torch.long), torch.arange(200))
    # A window of twice the size or more holds as much black as white for every pixel.
    assert (crops.abs().amax((1, 2, 3)) < 0.1).float().mean() > 0.6


def test_a_size_resizes_the_short_side_before(folder, kept):
    images = opened(folder, kept, crop=16, size=20)
    sizes = images.pictures.read(lambda cache: cache.sizes()).tolist()
    assert sizes == [
        [round(20 * height / min(height, width)), round(20 * width / min(height, width))]
        for height, width in order(images)
    ]
    with pytest.raises(ValueError, match="Crops of 16 pixels don't fit into .* to 15; give a size"):
        opened(folder, kept, crop=16, size=15)


def test_pictures_smaller_than_the_crop_are_told(folder, kept):
    images = opened(folder, kept, crop=17)
    with pytest.raises(
        ValueError, match=r"2\.png has 200 x 16 pixels, too few .* of 17, as have 1 "
    ):
        images.batch(torch.tensor([0]))
    opened(folder, kept, crop=17, size=17).batch(torch.tensor([0]))


def test_many_pictures_have_one_fixed_crop_each(tmp_path, kept):
    for i in range(7):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.fromarray(coordinates(20, 20)).save(tmp_path / f"pictures/{i}.png")
    images = opened(tmp_path / "pictures", kept, crop=8)
    assert len(images) == 10_003  # 7 x 1429
    assert images.notes[-1] == "10,003 crops of 7 pictures stand for all of them"
    assert images.batch(torch.tensor([10_002])).shape == (1, 3, 8, 8)


def test_the_digest_tells_pictures_and_settings_apart(folder, kept, tmp_path):
    settings = ({"crop": 16}, {"crop": 8}, {"crop": 16, "crop_scale": 0.5})
    digests = [opened(folder, kept, **options).digest() for options in settings]
    assert digests[0] == opened(folder, tmp_path / "other", crop=16).digest()
    Image.fromarray(coordinates(41, 90)).save(folder / "a" / "0.png")
    assert len({*digests, opened(folder, kept, crop=16).digest()}) == 4


def test_a_set_of_crops_is_given_to_other_processes_as_it_is(folder, kept):
    images = opened(folder, kept, crop=16)
    other = pickle.loads(pickle.dumps(images))
    assert torch.equal(other.batch(torch.arange(9)), images.batch(torch.arange(9)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0}, "The crop in pixels must be in"),
        ({"crop": 4, "crop_scale": 0.0}, "A crop_scale of 0 means nothing"),
        ({"crop": 4, "crop_scale": 2.0}, r"The crop_scale must be in \[0, 1\], but is 2"),
        ({"crop_scale": 0.5}, "it belongs to a crop"),
        (
            {"crop": 4},
            "Crops are drawn from the pictures of folder:PATH or hub:NAME, not from digits",
        ),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        data.open("digits", **options)
