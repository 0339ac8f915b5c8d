import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion as sd

MASK = [[0.0, 1.0, 0.5], [1.0, 0.0, 0.25]]
X = torch.randn(2, 3, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_black_part_fades():
    mask = torch.tensor(MASK, dtype=torch.float64)
    y = sd.MaskImage(MASK).at(torch.tensor([0.3, 1.0], dtype=torch.float64))(X)
    assert torch.allclose(y[0], (1 - 0.3 * (1 - mask)) * X[0])
    assert torch.equal(y[1], mask * X[1])


def test_a_mask_may_differ_between_channels():
    mask = torch.rand(3, 2, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(sd.MaskImage(mask).at(1.0)(X), mask * X)


def test_lines_and_volumes_have_masks_too():
    line, volume = torch.ones(1, 2, 3), torch.ones(1, 1, 2, 1, 2)
    assert sd.MaskImage([1, 0, 1]).at(1.0)(line)[0, 0].tolist() == [1, 0, 1]
    assert sd.MaskImage([[[1, 0]], [[0, 1]]]).at(1.0)(volume).flatten().tolist() == [1, 0, 0, 1]


def test_an_image_file_is_read_when_built(tmp_path):
    path = tmp_path / "mask.png"
    values = np.array([[0, 255, 51], [102, 255, 0]], dtype=np.uint8)
    Image.fromarray(values).save(path)
    corruption = sd.MaskImage(str(path))
    path.unlink()
    expected = torch.from_numpy(values / 255)
    assert torch.allclose(corruption.at(1.0)(X), expected * X, rtol=1e-7)


@pytest.mark.parametrize(
    "mask, message",
    [
        ([[0.5, 1.5]], r"lie in \[0, 1\], .* from 0.5 to 1.5"),
        ([[0.5, float("nan")]], "must be finite, but 1 of its 2 entries"),
        ([[0.5], [0.5, 1.0]], "sequence of length"),
        (None, "The mask is no array of numbers"),
        ({}, "The mask is no array of numbers"),
        ([["a"]], "The mask is no array of numbers"),
        (torch.ones(2, 3, dtype=torch.complex64), "must be real numbers"),
        (torch.zeros(0, 3), "must not be empty"),
    ],
)
def test_impossible_masks_are_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        sd.MaskImage(mask)


def test_files_that_are_no_masks_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no mask .*none.png; check the path"):
        sd.MaskImage(tmp_path / "none.png")
    text = tmp_path / "text.png"
    text.write_text("no image")
    with pytest.raises(ValueError, match="text.png can't be read .*; give another file"):
        sd.MaskImage(str(text))
    deep = tmp_path / "deep.tiff"
    Image.fromarray(np.zeros((2, 2), dtype=np.float32)).save(deep)
    with pytest.raises(ValueError, match="deep.tiff can't be read .*32 bits a pixel"):
        sd.MaskImage(str(deep))


@pytest.mark.parametrize("shape", [(2, 2), (3,), (1, 2, 3), (2, 3, 2, 3)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"does not fit images of shape \(3, 2, 3\)"):
        sd.MaskImage(torch.ones(shape)).at(0.5)(X)


def test_arrays_of_numpy_are_masks():
    assert torch.equal(sd.MaskImage(np.array(MASK)).mask, torch.tensor(MASK))
    assert torch.equal(sd.MaskImage(np.array(MASK) > 0.5).mask, (torch.tensor(MASK) > 0.5).float())


def test_a_mask_keeps_16_bits(tmp_path):
    values = np.array([[0, 1, 65535], [32768, 257, 258]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    mask = sd.MaskImage(tmp_path / "deep.png").mask
    assert torch.equal(mask, torch.from_numpy(values / 65535).float())
