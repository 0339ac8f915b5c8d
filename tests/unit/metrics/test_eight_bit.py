import io

import numpy as np
import pytest
import torch
from PIL import Image

from softdiffusion.metrics import digest, eight_bit
from softdiffusion.metrics.eight_bit import check_images, levels


def test_rounding_equals_a_png_file_written_and_read():
    images = torch.rand(1, 1, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    file = io.BytesIO()
    Image.fromarray(((images[0, 0] + 1) * 127.5).round().byte().numpy()).save(file, "png")
    read = torch.from_numpy(np.array(Image.open(file))).float() / 127.5 - 1
    assert torch.equal(eight_bit(images)[0, 0], read)


def test_all_levels_stay_as_they_are():
    images = torch.arange(256).reshape(1, 1, 16, 16).float() / 127.5 - 1
    assert torch.equal(levels(images).flatten().int(), torch.arange(256, dtype=torch.int32))
    assert torch.equal(eight_bit(eight_bit(images)), eight_bit(images))


def test_an_excess_of_rounding_size_becomes_the_end():
    images = torch.tensor([-1.001, 1.001]).reshape(1, 1, 1, 2)
    assert levels(check_images("Images", images)).flatten().tolist() == [0, 255]


def test_the_digest_depends_on_levels_and_shape_only():
    images = torch.rand(3, 1, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert digest(images) == digest(eight_bit(images).double())
    assert digest(images) != digest(images.reshape(3, 1, 6, 4))
    assert digest(images) != digest(images.flip(0))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((2, 1, 4, 4), 1.01), r"Images must lie in \[-1, 1\], but span \[1.01, 1.01\]"),
        (torch.full((2, 1, 4, 4), torch.nan), "Images must be finite, but 32"),
        (torch.zeros(2, 4, 4), r"but have shape \(2, 4, 4\)"),
        (torch.zeros(0, 1, 4, 4), "non-empty batch"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), "torch.uint8"),
    ],
)
def test_bad_images_are_refused_in_one_sentence(images, message):
    with pytest.raises(ValueError, match=message):
        check_images("Images", images)
