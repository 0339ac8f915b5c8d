import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from softdiffusion.plots import save_animation, save_grid, save_images, save_strip, to_uint8


def images(count, channels=1, height=6, width=5):
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, channels, height, width, generator=generator) * 2 - 1


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("channels", [1, 3])
def test_single_images_come_back_exactly_and_in_order(tmp_path, channels):
    x = images(11, channels)
    paths = save_images(x, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"{index:02d}.png" for index in range(11)]
    assert sorted(paths) == paths == sorted((tmp_path / "new" / "folder").iterdir())
    for path, expected in zip(paths, to_uint8(x), strict=True):
        assert np.array_equal(read(path), expected[..., 0] if channels == 1 else expected)


def test_ten_images_need_one_digit(tmp_path):
    assert save_images(images(10), tmp_path)[-1].name == "9.png"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_at_scale_1_holds_the_pixels_themselves(tmp_path, channels):
    x = images(6, channels)
    path = tmp_path / "new" / "grid.png"
    save_grid(x, path, columns=3, scale=1)
    page = read(path).reshape(2 * 7 + 1, 3 * 6 + 1, channels)
    tiles = [page[1 + 7 * r : 7 + 7 * r, 1 + 6 * c : 6 + 6 * c] for r in range(2) for c in range(3)]
    assert np.array_equal(np.stack(tiles), to_uint8(x))


def test_a_grid_is_about_square(tmp_path):
    save_grid(images(16, height=8, width=8), tmp_path / "grid.png", scale=1)
    assert read(tmp_path / "grid.png").shape == (4 * 9 + 1, 4 * 9 + 1)


def test_captions_stand_below_the_images_and_change_nothing_else(tmp_path):
    x = images(5, height=64, width=64)
    save_grid(x, tmp_path / "plain.png", columns=3)
    save_grid(x, tmp_path / "named.png", columns=3, captions=["cat", "", "long " * 9, "x", "y"])
    plain, named = (read(tmp_path / f"{name}.png") for name in ("plain", "named"))
    pitch = (named.shape[0] - 1) // 2
    for row in range(2):  # the images themselves, and 19 white rows with ink where a text stands
        assert np.array_equal(named[pitch * row :][:66], plain[65 * row :][:66])
    below = [named[66 : pitch + 1, 65 * column : 65 * column + 65] for column in range(3)]
    assert [bool((part < 100).any()) for part in below] == [True, False, True]
    with pytest.raises(ValueError, match="5 images and 1 captions"):
        save_grid(x, tmp_path / "none.png", captions=["cat"])


def test_a_strip_has_a_row_an_image_and_a_column_a_time(tmp_path):
    frames = torch.linspace(-1, 1, 12).reshape(4, 3, 1, 1, 1).expand(-1, -1, 1, 64, 64)
    save_strip(frames, tmp_path / "strip.png", ["a", "b\nsecond line", "c", "d"])
    page = read(tmp_path / "strip.png").astype(int)
    top = page.shape[0] - (3 * 65 + 1)
    pitch = page.shape[1] // 4
    assert page.shape[1] == 4 * pitch
    centres = page[top + 33 :: 65, pitch // 2 :: pitch]
    expected = to_uint8(frames.flatten(0, 1))[:, 0, 0, 0].reshape(4, 3).T
    assert np.array_equal(centres, expected)
    captions = page[:top].reshape(top, 4, pitch)
    assert (captions.min(axis=(0, 2)) < 100).all()  # ink above every column


def test_a_strip_gives_long_captions_the_room_that_they_need(tmp_path):
    frames = torch.zeros(2, 1, 1, 8, 8)
    save_strip(frames, tmp_path / "strip.png", ["x", "a caption that is much longer than an image"])
    page = read(tmp_path / "strip.png")
    assert page.shape[1] > 2 * 200
    assert (page[:, [0, -1]] == 255).all()  # nothing is cut


def test_a_strip_needs_one_label_a_time(tmp_path):
    with pytest.raises(ValueError, match="one label for each"):
        save_strip(torch.zeros(3, 2, 1, 8, 8), tmp_path / "strip.png", ["a", "b"])


@pytest.mark.parametrize(("suffix", "channels"), [("gif", 1), ("png", 1), ("png", 3)])
def test_an_animation_shows_every_frame_exactly_and_stays_on_the_last(tmp_path, suffix, channels):
    frames = images(4 * 2, channels).reshape(4, 2, channels, 6, 5)
    path = tmp_path / "new" / f"trajectory.{suffix}"
    save_animation(frames, path)
    durations = []
    with Image.open(path) as animation:
        assert len(list(ImageSequence.Iterator(animation))) == 4
        for index, frame in enumerate(frames):
            save_grid(frame, tmp_path / "frame.png")
            animation.seek(index)
            durations.append(animation.info["duration"])
            shown = animation.convert("L" if channels == 1 else "RGB")
            assert np.array_equal(np.asarray(shown), read(tmp_path / "frame.png"))
    assert durations[0] == durations[1] == durations[2] < durations[3]


def test_an_animation_refuses_other_formats(tmp_path):
    with pytest.raises(ValueError, match=r"\.gif or a \.png"):
        save_animation(torch.zeros(2, 1, 1, 8, 8), tmp_path / "film.mp4")
