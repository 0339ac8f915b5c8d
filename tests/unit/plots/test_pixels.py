import numpy as np
import pytest
import torch

from softdiffusion.plots import to_uint8
from softdiffusion.plots.pixels import mosaic


def test_every_byte_survives_the_way_to_floats_and_back():
    levels = torch.arange(256).reshape(1, 1, 16, 16)
    images = levels.float() / 127.5 - 1
    assert np.array_equal(to_uint8(images)[0, :, :, 0], levels[0, 0].numpy())


def test_values_round_to_the_nearest_byte():
    step = 2 / 255
    values = torch.tensor([-1.0, -1 + 0.49 * step, -1 + 0.51 * step, 1 - 0.51 * step, 1.0])
    assert to_uint8(values.reshape(1, 1, 1, 5)).flatten().tolist() == [0, 0, 1, 254, 255]


def test_values_beyond_the_range_become_black_or_white():
    values = torch.tensor([-7.0, -1.01, 1.01, 300.0])
    assert to_uint8(values.reshape(1, 1, 2, 2)).flatten().tolist() == [0, 0, 255, 255]


def test_channels_come_last():
    images = torch.rand(2, 3, 4, 5) * 2 - 1
    bytes_ = to_uint8(images)
    assert bytes_.shape == (2, 4, 5, 3) and bytes_.dtype == np.uint8
    assert np.array_equal(bytes_[1, :, :, 2], to_uint8(images[1:, 2:])[0, :, :, 0])


def test_half_precision_and_gradients_are_accepted():
    images = torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    assert to_uint8(images).tolist() == [[[[128], [128]], [[128], [128]]]]


def test_images_that_are_not_finite_are_refused():
    images = torch.zeros(1, 1, 2, 2)
    images[0, 0, 1, 1] = torch.nan
    with pytest.raises(ValueError, match="finite"):
        to_uint8(images)


def test_images_with_other_axes_are_refused():
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        to_uint8(torch.zeros(1, 8, 8))


def test_a_mosaic_holds_every_pixel_as_a_square_and_a_border_around_each_image():
    images = torch.linspace(-1, 1, 5 * 6).reshape(5, 1, 2, 3).expand(-1, 3, -1, -1)
    page = mosaic(images, columns=2, scale=4)  # a gap of 2 pixels
    assert page.shape == (3 * (2 * 4 + 2) + 2, 2 * (3 * 4 + 2) + 2, 3)
    used = np.zeros(page.shape[:2], dtype=bool)
    for index, image in enumerate(to_uint8(images)):
        top, left = 2 + (index // 2) * 10, 2 + (index % 2) * 14
        for row in range(2):
            for column in range(3):
                square = np.s_[top + 4 * row : top + 4 * row + 4, left + 4 * column :][0:2]
                block = page[square][:, :4]
                assert (block == image[row, column]).all()
        used[top : top + 8, left : left + 12] = True
    assert (page[~used] == 255).all()


@pytest.mark.parametrize(("side", "shown"), [(8, 64), (28, 84), (64, 64), (200, 200)])
def test_small_images_are_enlarged_until_they_can_be_seen(side, shown):
    gap = max(1, round((shown / side) ** 0.5))
    assert mosaic(torch.zeros(1, 1, side, side)).shape == (shown + 2 * gap, shown + 2 * gap, 1)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((0, 1, 8, 8), {}),
        ((1, 0, 8, 8), {}),
        ((1, 1, 0, 8), {}),
        ((1, 1, 8, 8), {"columns": 0}),
        ((1, 1, 8, 8), {"scale": 0}),
    ],
)
def test_what_makes_no_picture_is_refused(shape, options):
    with pytest.raises(ValueError, match=r"A picture needs|must be at least 1"):
        mosaic(torch.zeros(shape), **options)


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_without_a_colour_lie_side_by_side(channels):
    images = torch.rand(3, channels, 6, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    page = mosaic(images, columns=1, scale=1)
    beside = torch.cat(list(images.split(1, dim=1)), dim=3)
    assert np.array_equal(page, mosaic(beside, columns=1, scale=1))
    assert page.shape[1] == channels * 5 + 2
