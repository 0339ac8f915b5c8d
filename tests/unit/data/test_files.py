import os

import numpy as np
import pytest
import torch
from PIL import Image

from softdiffusion import plots
from softdiffusion.data import image_files, read_images

GREY = torch.randint(256, (3, 1, 6, 5), generator=torch.Generator().manual_seed(0)) / 127.5 - 1


def test_what_was_written_is_read_in_the_order_of_the_names(tmp_path):
    plots.save_images(GREY, tmp_path, names=["b", "c", "a"])
    images, names = read_images(tmp_path)
    assert names == ["a", "b", "c"]
    torch.testing.assert_close(images, GREY[[2, 0, 1]], rtol=0, atol=1e-6)
    alone, name = read_images(tmp_path / "b.png", (1, 6, 5))
    assert name == ["b"] and torch.equal(alone, images[1:2])


def test_no_image_of_a_folder_is_held_out(tmp_path):
    plots.save_images(GREY.repeat(8, 1, 1, 1), tmp_path)
    assert len(read_images(tmp_path)[0]) == 24


def test_colour_is_read_as_colour(tmp_path):
    rgb = torch.cat([GREY, -GREY, GREY], dim=1)
    plots.save_images(rgb, tmp_path)
    torch.testing.assert_close(read_images(tmp_path)[0], rgb, rtol=0, atol=1e-6)


def test_what_does_not_fit_is_named(tmp_path):
    plots.save_images(GREY, tmp_path)
    with pytest.raises(ValueError, match=r"0\.png is 5 x 6 pixels in grey, but 8 x 8 pixels in 3"):
        read_images(tmp_path, (3, 8, 8))
    Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(tmp_path / "1.png")
    with pytest.raises(ValueError, match=r"1\.png is 5 x 6 pixels in 3 channels, but .* in grey"):
        read_images(tmp_path)
    (tmp_path / "1.png").write_text("hello")
    with pytest.raises(ValueError, match=r"1\.png can't be read"):
        read_images(tmp_path)


def test_missing_files_and_equal_names(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder .*absent"):
        read_images(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="no images in .*must end in .apng, .avif"):
        read_images(tmp_path)
    for suffix in ("png", "bmp"):
        Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / f"x.{suffix}")
    with pytest.raises(ValueError, match="Two images .* are called x"):
        read_images(tmp_path)


def test_grey_is_taken_where_colour_is_needed(tmp_path):
    plots.save_images(GREY, tmp_path)
    images, _ = read_images(tmp_path, (3, 6, 5))
    assert torch.equal(images, read_images(tmp_path)[0].expand(-1, 3, -1, -1))


def test_what_is_left_out_of_a_folder_is_said(tmp_path):
    plots.save_images(GREY, tmp_path, names=["b", "c", "a"])
    (tmp_path / "._a.png").write_bytes(b"a Mac's")
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "d.png")
    files, notes = image_files(tmp_path)
    assert [file.name for file in files] == ["a.png", "b.png", "c.png"]
    expected = "1 .txt, 1 folders, 1 hidden pictures, 1 pipes, sockets or devices"
    assert notes == (f"left out: {expected}",)
    assert read_images(tmp_path)[1] == ["a", "b", "c"]
    assert image_files(tmp_path / "a.png") == ([tmp_path / "a.png"], ())


def test_all_files_that_can_not_be_read_are_named(tmp_path):
    for name in "abcdefgh":
        (tmp_path / f"{name}.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"a.png can't .* same of 7 others: .*f.png and 2 more\.$"):
        read_images(tmp_path)
