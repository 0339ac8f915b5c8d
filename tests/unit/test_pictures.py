import io
import os
import socket
import struct
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion as sd
from softdiffusion.data import read_images
from softdiffusion.pictures import is_grey, read_picture, suffixes, to_grey, to_pixels
from tests.damage import CORPUS, check, damaged
from tests.encoders import SEEN, Sample, bmps, chunk, coded, exif, netpbms, png, pngs, tiff, tiffs


def assert_shows(path: Path, sample: Sample) -> None:
    picture = read_picture(path)
    assert picture.shape == sample.shown.shape
    most = np.iinfo(picture.dtype).max
    # What is no level of the picture's depth is rounded to the nearest one.
    tolerance = sample.error / 255 + (0.5 + 1e-9) / most
    assert np.abs(picture / most - sample.shown).max() <= tolerance
    assert is_grey(path) == (picture.shape[2] == 1)


def assert_all_show(folder: Path, samples: list[Sample]) -> None:
    for sample in samples:
        path = folder / sample.name
        path.write_bytes(sample.content)
        try:
            assert_shows(path, sample)
        except (AssertionError, ValueError) as error:
            raise AssertionError(f"{sample.name}: {error}") from error


@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize("encode", [pngs, tiffs, coded])
def test_a_picture_is_what_a_viewer_shows(tmp_path, encode, orientation):
    for seed in range(2 if encode is coded else 6):
        assert_all_show(tmp_path, encode(seed, orientation))


@pytest.mark.parametrize("encode", [netpbms, bmps])
def test_so_it_is_in_formats_that_are_always_upright(tmp_path, encode):
    for seed in range(6):
        assert_all_show(tmp_path, encode(seed))


def test_the_name_of_a_file_says_nothing(tmp_path):
    for sample in chain(pngs(0, 6), coded(0, 1)):
        assert_all_show(tmp_path, [Sample("picture", sample.content, sample.shown, sample.error)])


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """Lab under D50, by its definition, to sRGB, in [0, 1]."""
    f_y = (lab[..., 0] + 16) / 116
    f = np.stack([f_y + lab[..., 1] / 500, f_y, f_y - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1.0, 0.8249)
    to_rgb = [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]
    linear = (xyz @ np.array(to_rgb).T).clip(0, 1)  # by Bradford from D50 to D65
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_lab_is_shown_in_srgb(tmp_path):
    rng = np.random.default_rng(0)
    # Colours that sRGB has.
    lab = np.concatenate([rng.integers(80, 190, (8, 8, 1)), rng.integers(-20, 20, (8, 8, 2))], 2)
    (tmp_path / "lab.tif").write_bytes(tiff(lab % 256, 8, 8, 1))
    expected = lab_to_srgb(lab * (100 / 255, 1, 1))
    # The colour engine works in 8 bits and the matrix above has 4 digits.
    assert np.abs(read_picture(tmp_path / "lab.tif") / 255 - expected).max() <= 2 / 255


def test_premultiplied_alpha_is_added_to_white(tmp_path):
    rng = np.random.default_rng(0)
    alpha = rng.integers(100, 256, (5, 4, 1))
    for count, photometric in ((3, 2), (1, 1)):
        colours = rng.integers(0, 256, (5, 4, count)) * alpha // 255
        file = tiff(np.concatenate([colours, alpha], 2), 8, photometric, 1, t338=[1])
        (tmp_path / "a.tif").write_bytes(file)
        shown = colours + 255 - alpha
        # To divide by alpha in 8 bits and to multiply again is off by a level each.
        assert np.abs(read_picture(tmp_path / "a.tif").astype(int) - shown).max() <= 2


def with_exif(block: bytes) -> bytes:
    """A JPEG of 16 x 8 pixels, white on its left half, with an EXIF block."""
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :8] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    content, block = file.getvalue(), b"Exif\0\0" + block
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")


@pytest.mark.parametrize(
    "entries",
    [
        [entry(282, 2, 3, b"72\0")],  # a text where a fraction belongs
        [entry(282, 5, 1, b"\xff\xff\xff\x7f")],  # beyond the end
        [entry(34665, 4, 1, b"\xff\0\0\0"), entry(40965, 2, 4, b"abc")],
        [entry(37500, 7, 1_000_000, b"\1\0\0\0")],
        [entry(0, 0, 0, b""), entry(65535, 99, 9, b"abcd")],
    ],
)
def test_a_damaged_exif_block_costs_nothing_but_itself(tmp_path, entries):
    path = tmp_path / "photo.jpg"
    known = entry(274, 3, 1, struct.pack("<H", 6))
    block = (
        b"II*\0" + struct.pack("<IH", 8, len(entries) + 1) + known + b"".join(entries) + bytes(4)
    )
    path.write_bytes(with_exif(block))
    picture = read_picture(path)  # upright: the left half is on top
    assert picture.shape == (16, 8, 1)
    assert picture[:8].min() > 200 and picture[8:].max() < 50
    for block in (b"", b"II*\0", b"XX", entries[0], b"MM\0*" + b"\xff" * 30):
        path.write_bytes(with_exif(block))
        assert read_picture(path).shape == (8, 16, 1)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(tmp_path, value):
    (tmp_path / "photo.jpg").write_bytes(with_exif(exif(value)))
    assert read_picture(tmp_path / "photo.jpg").shape == (8, 16, 1)


def test_damaged_files_give_a_picture_or_one_sentence(tmp_path, capfd):
    rng = np.random.default_rng(0)
    refused = 0
    for sample in CORPUS:
        path = tmp_path / sample.name
        path.write_bytes(sample.content)
        assert check(path) is None
        for _ in range(20):
            path.write_bytes(damaged(sample.content, rng))
            refused += check(path) is not None
    # Both outcomes are common, so the damage is neither hopeless nor harmless.
    assert 0.2 < refused / (20 * len(CORPUS)) < 0.9
    assert capfd.readouterr() == ("", "")


def test_other_formats_are_refused_whatever_they_are_called(tmp_path):
    image = Image.new("RGB", (4, 4))
    for form in ("EPS", "PDF", "ICO", "PCX", "TGA", "SGI", "DDS"):
        image.save(tmp_path / "a.png", form)
        with pytest.raises(ValueError, match="a.png can't be read .*not of the formats PNG, JPEG"):
            read_picture(tmp_path / "a.png")


def test_values_without_a_range_are_refused(tmp_path):
    for values in (np.ones((4, 4), np.float32), np.ones((4, 4), np.int32)):
        Image.fromarray(values).save(tmp_path / "a.tif")
        with pytest.raises(ValueError, match="a.tif can't be read .*32 bits a pixel and no fixed"):
            read_picture(tmp_path / "a.tif")
    for depth in (8, 16):
        signed = tiff(np.ones((4, 4, 1), int), depth, 1, 1, t339=[2])
        (tmp_path / "a.tif").write_bytes(signed)
        with pytest.raises(ValueError, match="a.tif can't be read .*no fixed range"):
            read_picture(tmp_path / "a.tif")


def bomb(width: int, height: int) -> bytes:
    return png(np.zeros((1, 1, 1), int), 8, 0, 1, False).replace(
        struct.pack(">II", 1, 1), struct.pack(">II", width, height), 1
    )


#: Each reads a file, whatever for.
READERS = {
    "folder": lambda path: sd.data.load(f"folder:{path.parent}"),
    "read_images": read_images,
    "mask": sd.MaskImage,
    "kernel": sd.KernelBlur,
}


@pytest.mark.parametrize("reader", READERS)
def test_pictures_too_large_are_refused_in_the_same_way_everywhere(tmp_path, reader):
    path = tmp_path / "a.png"
    file = bomb(20_000, 10_000)
    # The header's checksum is wrong by now.
    header = file[12:29]
    path.write_bytes(file[:8] + chunk(header[:4], header[4:]) + file[33:])
    with pytest.raises(ValueError, match="a.png can't be read .*more than 178,956,970 pixels"):
        READERS[reader](path)
    with path.open("wb") as file:
        file.truncate(2**30 + 1)  # takes no place on the disk
    with pytest.raises(ValueError, match="a.png can't be read .*1,073,741,825 bytes"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", ["read_images", "mask", "kernel"])
def test_what_is_no_file_is_refused_when_it_is_named(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.bind(str(tmp_path / "socket.png"))
        for name in ("pipe", "device", "socket"):
            with pytest.raises(ValueError, match=f"{name}.png is a pipe, a socket or a device"):
                READERS[reader](tmp_path / f"{name}.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match="folder.png"):
        READERS[reader](tmp_path / "folder.png")


def test_names_that_can_not_be_printed_are_escaped(tmp_path):
    path = tmp_path / "a\n\x1b[31m\udcff.png"
    path.write_text("no picture")
    with pytest.raises(ValueError, match=r"a\\n\\x1b\[31m\\udcff\.png can't be read") as caught:
        read_picture(path)
    assert str(caught.value).isprintable()


def test_one_file_is_the_same_for_every_reader(tmp_path):
    for number, sample in enumerate(chain(pngs(1, 6), tiffs(0, 8), tiffs(1, 5), coded(1, 7))):
        if min(sample.shown.shape[:2]) % 2 == 0 or sample.shown.max() == 0:
            sample = next(s for s in pngs(number, 6) if "alpha" in s.name)
        path = tmp_path / str(number) / sample.name
        path.parent.mkdir()
        path.write_bytes(sample.content)
        images, _ = read_images(path)
        assert torch.equal(sd.data.load(f"folder:{path.parent}"), images)
        grey = sd.data.load(f"folder:{path.parent}", channels=1)[0, 0] / 2 + 0.5
        mask = sd.MaskImage(path).mask
        # A mask keeps 16 bits, an image 8; the levels of float32 come on top.
        assert (mask - grey).abs().max() <= 0.5 / 255 + 1e-6


def test_a_kernel_keeps_16_bits(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (5, 3, 1))
    (tmp_path / "kernel.png").write_bytes(png(values, 16, 0, 1, False))
    kernel = sd.KernelBlur(tmp_path / "kernel.png").kernel
    np.testing.assert_allclose(kernel.numpy(), values[..., 0] / values.sum(), rtol=1e-12)


def test_strokes_on_a_transparent_layer_mask_what_they_cover(tmp_path):
    strokes = np.zeros((8, 8, 4), np.uint8)
    strokes[2:6, 2:6, 3] = 255
    Image.fromarray(strokes).save(tmp_path / "strokes.png")
    mask = sd.MaskImage(tmp_path / "strokes.png").mask
    assert mask[2:6, 2:6].max() == 0 and mask.sum() == 64 - 16
    erased = np.full((8, 8, 4), 255, np.uint8)
    erased[2:6, 2:6, 3] = 0
    Image.fromarray(erased).save(tmp_path / "erased.png")
    assert sd.MaskImage(tmp_path / "erased.png").mask.min() == 1


def test_the_suffixes_are_those_of_the_formats():
    assert {".png", ".jpg", ".jfif", ".tif", ".ppm", ".pgm", ".bmp", ".gif", ".mpo"} <= suffixes()
    assert not {".eps", ".ps", ".pdf", ".psd", ".wmf", ".pfm", ".tga", ".h5"} & suffixes()


def test_pixels_are_the_picture_in_other_channels_and_sizes():
    deep = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16, 1)
    assert to_pixels(deep, 1).flatten().tolist() == list(range(256))
    assert torch.equal(to_pixels(deep, 3)[2], to_pixels(deep, 1)[0])
    assert to_pixels(deep, 3, size=4).shape == (3, 4, 4)
    assert to_grey(deep).flatten().tolist() == [value / 65535 for value in deep.flatten().tolist()]
