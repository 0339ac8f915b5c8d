import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion.data as data


def pixels(seed, height=12, width=12, channels=3):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def to_unit(array):
    array = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 127.5 - 1


@pytest.fixture
def folder(tmp_path):
    """25 RGB images, written in reverse order into two subfolders."""
    for i in reversed(range(25)):
        path = tmp_path / ("a" if i < 12 else "b") / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(i)).save(path)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_order_and_values(folder):
    train = data.open(f"folder:{folder}")
    test = data.open(f"folder:{folder}", split="test")
    held_out = [9, 19]
    assert train.shape == (3, 12, 12)
    rest = [i for i in range(25) if i not in held_out]
    assert train.labels.tolist() == [int(i >= 12) for i in rest]
    assert test.labels.tolist() == [0, 1]
    assert torch.equal(train.tensor(), torch.stack([to_unit(pixels(i)) for i in rest]))
    assert torch.equal(test.tensor(), torch.stack([to_unit(pixels(i)) for i in held_out]))


def test_train_and_test_folders_are_the_splits(tmp_path):
    for split, count in (("train", 12), ("test", 3)):
        (tmp_path / split).mkdir()
        for i in range(count):
            Image.fromarray(pixels(i)).save(tmp_path / split / f"{i:02d}.png")
    assert len(data.open(f"folder:{tmp_path}")) == 12
    assert data.open(f"folder:{tmp_path}").labels is None
    assert len(data.open(f"folder:{tmp_path}", split="test")) == 3


def test_both_splits_number_the_classes_alike(tmp_path):
    for split, names in (("train", "abc"), ("test", "ac")):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(pixels(0)).save(tmp_path / split / name / "0.png")
    assert data.open(f"folder:{tmp_path}").labels.tolist() == [0, 1, 2]
    assert data.open(f"folder:{tmp_path}", split="test").labels.tolist() == [0, 2]


def test_neither_what_is_hidden_nor_an_empty_folder_is_a_class(tmp_path):
    for path in ("b/0.png", ".cache/0.png", "c/0.png", "c/.0.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(0)).save(tmp_path / path)
    (tmp_path / "a").mkdir()
    assert data.open(f"folder:{tmp_path}").labels.tolist() == [0, 1]


def test_a_file_outside_of_all_classes_means_no_classes(folder):
    Image.fromarray(pixels(1)).save(folder / "loose.png")
    assert data.open(f"folder:{folder}").labels is None


def test_files_are_decoded_once_when_first_needed(folder):
    images = data.open(f"folder:{folder}")
    first = images.tensor()
    for path in folder.rglob("*.png"):
        path.unlink()
    assert torch.equal(images.tensor(), first)
    assert torch.equal(images.batch(torch.tensor([3, 3])), first[[3, 3]])


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_lossless_formats(tmp_path, suffix):
    Image.fromarray(pixels(0)).save(tmp_path / f"0.{suffix}", lossless=True)
    assert torch.equal(data.load(f"folder:{tmp_path}")[0], to_unit(pixels(0)))


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "gif"])
def test_other_formats(tmp_path, suffix):
    grey = np.full((8, 8), 100, np.uint8)
    Image.fromarray(grey).save(tmp_path / f"0.{suffix}")
    assert torch.equal(data.load(f"folder:{tmp_path}", channels=1)[0], to_unit(grey))


def test_channels_follow_all_files_of_both_splits(tmp_path):
    for i in range(10):
        Image.fromarray(pixels(0, channels=1)).save(tmp_path / f"{i}.png")
    grey = data.open(f"folder:{tmp_path}")
    assert grey.shape == (1, 12, 12) and "1 channel, since no file has colour" in grey.notes
    Image.fromarray(pixels(1)).save(tmp_path / "9.png")  # held out
    for split in ("train", "test"):
        colour = data.open(f"folder:{tmp_path}", split=split)
        assert colour.shape == (3, 12, 12)
        assert "3 channels, since 9.png has colour" in colour.notes


def test_grey_is_read_as_colour_and_colour_as_grey(tmp_path):
    Image.fromarray(pixels(0, channels=1)).save(tmp_path / "1.png")
    Image.fromarray(pixels(1)).save(tmp_path / "0.png")
    rgb = data.load(f"folder:{tmp_path}", channels=3).flip(0)
    assert torch.equal(rgb[0], to_unit(pixels(0, channels=1)).expand(3, -1, -1))
    assert torch.equal(rgb[1], to_unit(pixels(1)))
    grey = data.open(f"folder:{tmp_path}", channels=1)
    assert "colour is left out: 1 channel is asked for, 0.png has 3" in grey.notes
    luma = Image.fromarray(pixels(1)).convert("L")
    assert torch.equal(grey.tensor()[0], to_unit(np.asarray(luma)))


def test_transparent_parts_show_white(tmp_path):
    rgba = pixels(0, channels=4)
    rgba[:6, :, 3], rgba[6:, :, 3] = 0, 255
    Image.fromarray(rgba).save(tmp_path / "0.png")
    expected = rgba[..., :3].copy()
    expected[:6] = 255
    assert torch.equal(data.load(f"folder:{tmp_path}")[0], to_unit(expected))


def test_palettes_are_looked_up(tmp_path):
    image = Image.fromarray(pixels(0)).quantize(16)
    image.save(tmp_path / "0.png")
    with Image.open(tmp_path / "0.png") as written:
        assert written.mode == "P"
    expected = to_unit(np.asarray(image.convert("RGB")))
    assert torch.equal(data.load(f"folder:{tmp_path}")[0], expected)


def test_sixteen_bits_are_scaled(tmp_path):
    deep = np.linspace(0, 65535, 144).round().astype(np.uint16).reshape(12, 12)
    Image.fromarray(deep).save(tmp_path / "0.png")
    loaded = data.load(f"folder:{tmp_path}")[0, 0]
    exact = torch.from_numpy(deep.astype(np.float32)) / 32767.5 - 1
    assert loaded.shape == (12, 12)
    # Half a step of 8 bits, and the rounding of float32.
    assert (loaded - exact).abs().max() <= 0.5 / 127.5 + 1e-6


def test_32_bits_have_no_fixed_range(tmp_path):
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "0.tiff")
    with pytest.raises(ValueError, match="no fixed range"):
        data.open(f"folder:{tmp_path}")


def test_photographs_are_upright(tmp_path):
    image = Image.new("RGB", (12, 6))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "0.jpg", exif=exif)
    assert data.open(f"folder:{tmp_path}").shape == (3, 12, 6)


@pytest.mark.parametrize(("height", "width"), [(16, 28), (28, 16), (16, 16)])
def test_size_resizes_the_short_side_and_crops_the_centre(tmp_path, height, width):
    # Half contrast: a filter of two passes overshoots, and nothing may be clipped in between.
    image = Image.fromarray(64 + pixels(0, height, width) // 2)
    image.save(tmp_path / "0.png")
    small = image.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    left, top = (small.width - 8) // 2, (small.height - 8) // 2
    expected = to_unit(np.asarray(small.crop((left, top, left + 8, top + 8))))
    error = (data.load(f"folder:{tmp_path}", size=8)[0] - expected).abs().max()
    # Pillow orders its two passes by cost. Each rounds by half a level, which the second
    # multiplies by at most 1.4, the filter's sum of magnitudes: 2 * (0.5 * 1.4 + 0.5) levels.
    assert error * 127.5 <= 2.4


def test_shrinking_does_not_alias(tmp_path):
    checkerboard = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checkerboard).save(tmp_path / "0.png")
    # Sampling without a filter would show black or white; the mean is half way.
    assert data.load(f"folder:{tmp_path}", size=8).abs().max() <= 0.05


def test_different_sizes_need_a_size(tmp_path):
    Image.fromarray(pixels(0)).save(tmp_path / "0.png")
    Image.fromarray(pixels(1, height=10)).save(tmp_path / "1.png")
    images = data.open(f"folder:{tmp_path}")
    with pytest.raises(ValueError, match=r"0\.png has 12 x 12 .*1\.png has 12 x 10.*give a size"):
        images.tensor()
    assert data.load(f"folder:{tmp_path}", size=8).shape == (2, 3, 8, 8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tiff", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_truncated_files_are_named(tmp_path, suffix, share):
    for i in range(3):
        Image.fromarray(pixels(i, 40, 40)).save(tmp_path / f"{i}.{suffix}")
    path = tmp_path / f"1.{suffix}"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    images = data.open(f"folder:{tmp_path}")
    with pytest.raises(ValueError, match=rf"1\.{suffix} can't be read .*remove it") as caught:
        images.tensor()
    assert "\n" not in str(caught.value)


def test_a_text_that_is_called_png_is_named(tmp_path):
    (tmp_path / "0.png").write_text("hello")
    with pytest.raises(ValueError, match=r"0\.png can't be read"):
        data.open(f"folder:{tmp_path}")


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        data.open(f"folder:{tmp_path / 'absent'}")
    with pytest.raises(FileNotFoundError, match="no images for the train split"):
        data.open(f"folder:{tmp_path}")
    Image.fromarray(pixels(0)).save(tmp_path / "0.png")
    with pytest.raises(FileNotFoundError, match="at least 10"):
        data.open(f"folder:{tmp_path}", split="test")
