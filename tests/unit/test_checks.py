import numpy as np
import pytest
import torch
from PIL import Image

from softdiffusion.checks import as_images, check_count, check_range

IMAGES = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
BYTES = ((IMAGES + 1) * 127.5).round().byte()
PICTURES = [Image.fromarray(pixels.permute(1, 2, 0).numpy()) for pixels in BYTES]


def test_a_tensor_of_images_is_taken_as_it_is():
    assert as_images("Images", IMAGES) is IMAGES


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_an_array_of_images_is_taken_as_the_tensor_with_its_numbers(dtype):
    array = IMAGES.numpy().astype(dtype)[::-1]  # torch itself refuses strides below zero

    taken = as_images("Images", array)

    assert taken.tolist() == array.tolist()
    assert taken.element_size() == np.dtype(dtype).itemsize


def test_an_array_that_must_not_be_written_to_is_taken():
    array = IMAGES.numpy().copy()
    array.flags.writeable = False

    assert torch.equal(as_images("Images", array), IMAGES)


def test_images_of_pillow_are_brought_to_the_range_of_the_library():
    assert torch.equal(as_images("Images", PICTURES), BYTES / 127.5 - 1)
    assert torch.equal(as_images("Images", PICTURES[0]), BYTES[:1] / 127.5 - 1)
    assert torch.equal(as_images("Images", PICTURES[0].split()[1]), BYTES[:1, 1:2] / 127.5 - 1)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (None, TypeError, "The data must be a tensor or a NumPy array .* but are None."),
        ("cats", TypeError, "but are 'cats'."),
        ([[1.0]], TypeError, "but are a list."),
        ([], TypeError, "but are a list."),
        (torch.utils.data.TensorDataset(IMAGES), TypeError, "but are a TensorDataset."),
        ([*PICTURES, None], TypeError, "but are an Image."),
        (np.array(["cat"]), ValueError, "have the type <U3"),
        (BYTES.numpy(), ValueError, "have the type torch.uint8; bring those of 8 bits"),
        (IMAGES + 0j, ValueError, "have the type torch.complex64"),
        (IMAGES.to_sparse(), ValueError, "in the layout torch.sparse_coo"),
        (IMAGES[0, 0], ValueError, "must have the axes"),
        (IMAGES[:0], ValueError, "At least one image is needed, but the data are none."),
        (IMAGES[..., :0], ValueError, "At least one image with pixels is needed"),
        (PICTURES[0].convert("RGBA"), ValueError, "but are RGBA of 5 x 4; bring them there"),
        ([PICTURES[0], PICTURES[1].resize((2, 2))], ValueError, "RGB of 2 x 2, RGB of 5 x 4"),
    ],
)
def test_what_holds_no_images_is_refused_by_name(value, error, message):
    with pytest.raises(error, match=message):
        as_images("The data", value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, TypeError),
        ("1", TypeError),
        (True, TypeError),
        (np.bool_(True), TypeError),
        ({}, TypeError),
        (1j, TypeError),
        (object(), TypeError),
        (torch.ones(2) * 1j, ValueError),
        (torch.ones(2) > 0, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (1e20, ValueError),
        (10**400, ValueError),
        (torch.zeros(2, 2), ValueError),
    ],
)
def test_what_is_no_number_within_reach_is_refused_by_name(value, error):
    with pytest.raises(error, match="^The step must be .*[.]$"):
        check_range("The step", value, 0.0, float("inf"))


@pytest.mark.parametrize("value", [3, np.int64(3), np.float32(3), np.array(3), torch.tensor(3)])
def test_numbers_of_numpy_and_torch_are_numbers(value):
    assert check_range("The step", value, 0.0, 5.0) == 3


@pytest.mark.parametrize("value", [2.5, 2.0, "2", None, True, [2]])
def test_a_count_is_a_whole_number(value):
    with pytest.raises(TypeError, match="The count must be a whole number, but is"):
        check_count("The count", value, 1, 5)


@pytest.mark.parametrize("value", [0, -1, 6, 2**63, 10**400])
def test_a_count_lies_within_its_limits(value):
    with pytest.raises(ValueError, match=r"The count must be in \[1, 5\], but is"):
        check_count("The count", value, 1, 5)
