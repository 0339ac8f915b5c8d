"""What the cache gives is what decoding gives, whatever happened to it meanwhile."""

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion.data as data
from softdiffusion.data.cache import Cache, DamageError
from softdiffusion.data.draft import drafting
from softdiffusion.data.split import Split
from softdiffusion.files import locked


def picture(seed, height=12, width=12, channels=3):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def fill(folder, count=20, **shape):
    folder.mkdir(exist_ok=True, parents=True)
    for i in range(count):
        Image.fromarray(picture(i, **shape)).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "pictures")


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache"


def opened(folder, kept, **options):
    return data.open(f"folder:{folder}", cache=kept, **options)


def place(kept):
    (one,) = kept.iterdir()
    return one


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def grey(folder):
    fill(folder, channels=1)


def colour(folder):
    fill(folder, height=9, width=14)


def deep(folder):
    folder.mkdir()
    for i in range(3):
        values = np.random.default_rng(i).integers(0, 2**16, (8, 8), dtype=np.uint16)
        Image.fromarray(values).save(folder / f"{i}.png")


def turned(folder):
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(3):
        Image.fromarray(picture(i, 12, 6)).save(folder / f"{i}.jpg", exif=exif)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("write", [grey, colour, deep, turned])
@pytest.mark.parametrize("options", [{}, {"size": 7}, {"channels": 3}, {"channels": 1, "size": 16}])
def test_the_cache_gives_what_decoding_gives(tmp_path, kept, split, write, options):
    write(tmp_path / "pictures")
    name = f"folder:{tmp_path / 'pictures'}"
    if split == "test" and write in (deep, turned):
        return  # of three files none is held out
    direct = data.open(name, split=split, **options)
    for _ in range(2):  # while it is made, and from what is there
        cached = opened(tmp_path / "pictures", kept, split=split, **options)
        assert cached.shape == direct.shape and cached.notes == direct.notes
        assert torch.equal(cached.tensor(), direct.tensor())
        assert cached.batch(torch.tensor([0])).is_contiguous()
        assert cached.digest() == direct.digest()
        assert cached.labels is direct.labels is None
    chosen = torch.tensor([0, -1, 0])
    assert torch.equal(cached.batch(chosen), direct.tensor()[chosen])


def test_many_files_are_decoded_by_several_processes_in_their_order(tmp_path, kept):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(1150):
        Image.new("L", (2, 2), i % 256).save(folder / f"{i:04d}.png")
    torch.manual_seed(0)
    state = torch.get_rng_state()
    images = opened(folder, kept, channels=1)
    expected = [i % 256 for i in range(1150) if i % 10 != 9]
    assert images.pictures.read(lambda cache: cache[torch.arange(1035)])[:, 0, 0, 0].tolist() == (
        expected
    )
    assert torch.equal(torch.get_rng_state(), state)


def test_a_set_is_given_to_other_processes_as_it_is(folder, kept):
    images = opened(folder, kept)
    whole = images.tensor()
    other = pickle.loads(pickle.dumps(images))
    for path in folder.iterdir():
        path.unlink()  # what it reads is the cache
    assert torch.equal(other.tensor(), whole)


def test_few_pictures_leave_nothing_behind(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    data.load(f"folder:{folder}")
    assert not (tmp_path / "home").exists()
    data.open(f"folder:{folder}", crop=8).digest()
    assert [p.name for p in (tmp_path / "home/softdiffusion").iterdir()] == ["pictures"]


@pytest.mark.parametrize("change", ["content", "time", "name", "more", "other split"])
def test_other_files_have_another_cache(folder, kept, change):
    opened(folder, kept).tensor()
    path = folder / ("009.png" if change == "other split" else "000.png")
    if change in ("content", "other split"):
        Image.fromarray(picture(99)).save(path)
    elif change == "time":
        os.utime(path, (1, 1))
    elif change == "name":
        path.rename(folder / "0000.png")
    else:
        Image.fromarray(picture(99)).save(folder / "020.png")
    changed = opened(folder, kept)
    assert torch.equal(changed.tensor(), data.load(f"folder:{folder}"))
    assert len(list(kept.iterdir())) == 2


def test_other_settings_have_another_cache(folder, kept):
    for options in ({}, {"size": 8}, {"channels": 1}, {"split": "test"}, {"crop": 8}):
        opened(folder, kept, **options).digest()
    assert len(list(kept.iterdir())) == 5


def test_files_that_change_between_listing_and_decoding_are_told(folder, kept):
    images = opened(folder, kept)
    Image.fromarray(picture(99)).save(folder / "020.png")
    with pytest.raises(ValueError, match="have changed since they were listed; begin again"):
        images.tensor()


def test_a_damaged_picture_is_decoded_again_and_said(folder, kept):
    images = opened(folder, kept)
    whole = images.tensor()
    flip(place(kept) / "pixels.bin", 5 * 432 + 100)
    assert torch.equal(images.batch(torch.arange(5)), whole[:5])  # the others are as they were
    with pytest.warns(UserWarning, match=r"picture .*005\.png was damaged in .*decoded again"):
        assert torch.equal(images.tensor(), whole)
    assert torch.equal(opened(folder, kept).tensor(), whole)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("pixels.bin", "cut"),
        ("pixels.bin", "gone"),
        ("index.bin", "flipped"),
        ("index.bin", "cut"),
        ("checksums.bin", "flipped"),
        ("checksums.bin", "gone"),
        ("cache.json", "cut"),
        ("cache.json", "other"),
    ],
)
def test_a_damaged_cache_is_built_anew_and_said(folder, kept, name, damage):
    open_before = opened(folder, kept)
    whole = open_before.tensor()
    path = place(kept) / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "flipped":
        flip(path, 3)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_text('{"format": 1}')
    with pytest.warns(UserWarning, match=r"is damaged, so the pictures are decoded again\."):
        assert torch.equal(opened(folder, kept).tensor(), whole)
    assert torch.equal(open_before.tensor(), whole)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pixels.bin", {}),
        ("checksums.bin", {}),
        ("pixels.bin", {"crop": 8}),
        ("index.bin", {"crop": 8}),
        ("checksums.bin", {"crop": 8}),
    ],
)
def test_a_cache_that_shrinks_after_it_was_opened_is_built_anew(folder, kept, name, options):
    images = opened(folder, kept, **options)
    some = images.batch(torch.arange(18))
    os.truncate(place(kept) / name, (place(kept) / name).stat().st_size * 2 // 3)
    with pytest.warns(UserWarning, match=r"is damaged, so the pictures are decoded again\."):
        assert torch.equal(images.batch(torch.arange(18)), some)


def test_all_damaged_pictures_of_a_batch_of_crops_are_decoded_again(folder, kept):
    images = opened(folder, kept, crop=12)
    some = images.batch(torch.arange(18))
    for number in (3, 11):
        flip(place(kept) / "pixels.bin", number * 432)
    with pytest.warns(UserWarning, match=r"picture .*png was damaged in .*decoded again") as told:
        assert torch.equal(images.batch(torch.arange(18)), some)
    assert len(told) == 2


def test_a_cache_that_disappears_is_built_anew(folder, kept):
    images = opened(folder, kept)
    whole = images.tensor()
    for path in place(kept).iterdir():
        path.unlink()
    assert torch.equal(images.tensor(), whole)


@pytest.mark.parametrize("change", [{"version": "0.0.9"}, {"format": 0}])
def test_a_cache_of_another_version_is_built_anew_and_said(folder, kept, change):
    whole = opened(folder, kept).tensor()
    path = place(kept) / "cache.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.warns(UserWarning, match=r"was written by version 0\.\d.\d, so the pictures are"):
        assert torch.equal(opened(folder, kept).tensor(), whole)


def test_a_picture_that_changed_on_the_disk_is_not_mended_with_another(folder, kept):
    images = opened(folder, kept)
    images.tensor()
    flip(place(kept) / "pixels.bin", 0)
    Image.fromarray(picture(99)).save(folder / "000.png")
    with pytest.raises(ValueError, match="have changed since they were listed"):
        images.batch(torch.tensor([0]))


@pytest.mark.parametrize("cut", [0, 1, 30, 432 * 4 + 7])
def test_a_draft_is_gone_on_with_from_the_first_picture_that_is_not_whole(tmp_path, cut):
    pictures = [picture(i).transpose(2, 0, 1) for i in range(6)]

    def draft(folder, count):
        folder.mkdir(exist_ok=True)
        with drafting(folder, 6, 3, (3, 12, 12)) as draft:
            known = draft.count
            for each in pictures[known:count]:
                draft.append(each)
            if count == 6:
                draft.seal("1", ())
        return known

    assert draft(tmp_path / "whole", 6) == 0
    assert draft(tmp_path / "cut", 5) == 0
    size = 5 * 432 - cut
    os.truncate(tmp_path / "cut" / "pixels.bin", size)
    assert draft(tmp_path / "cut", 6) == size // 432
    for name in ("pixels.bin", "index.bin", "checksums.bin", "cache.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_draft_of_another_version_is_not_gone_on_with(folder, kept):
    whole = opened(folder, kept).tensor()
    pixels = place(kept) / "pixels.bin"
    begun = pixels.stat().st_ino
    (place(kept) / "cache.json").unlink()  # a draft again
    assert torch.equal(opened(folder, kept).tensor(), whole) and pixels.stat().st_ino == begun
    (place(kept) / "cache.json").unlink()
    (place(kept) / "version").write_text("0.0.9 with Pillow 1.0")
    with (
        pixels.open("rb"),  # so that its number is not given again
        pytest.warns(UserWarning, match=r"begun by version 0\.0\.9 with Pillow 1\.0, so the pict"),
    ):
        assert torch.equal(opened(folder, kept).tensor(), whole)
        assert pixels.stat().st_ino != begun


def test_a_picture_that_can_not_be_read_for_a_while_keeps_the_draft(folder, kept, monkeypatch):
    images = opened(folder, kept)
    read = Split.read

    def failing(split, index):
        if index == 9:
            raise ValueError("for a while")
        return read(split, index)

    monkeypatch.setattr(Split, "read", failing)
    with pytest.raises(ValueError, match="for a while"):
        images.tensor()
    begun = (place(kept) / "pixels.bin").stat()
    assert begun.st_size == 9 * 432
    monkeypatch.undo()
    assert torch.equal(images.tensor(), data.load(f"folder:{folder}"))
    assert (place(kept) / "pixels.bin").stat().st_ino == begun.st_ino


def test_a_full_disk_is_named_and_the_draft_gone_on_with(tmp_path):
    pictures = [picture(i).transpose(2, 0, 1) for i in range(3)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(OSError) as error, drafting(tmp_path, 3, 3, (3, 12, 12)) as draft:
            for each in pictures:
                draft.append(each)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.filename == str(tmp_path / "pixels.bin")
    with drafting(tmp_path, 3, 3, (3, 12, 12)) as draft:
        assert draft.count == 1


def test_a_draft_that_was_damaged_meanwhile_is_kept_up_to_there(tmp_path):
    pictures = [picture(i, 70, 130).transpose(2, 0, 1) for i in range(4)]  # six tiles each
    with drafting(tmp_path, 4, 3, None) as draft:
        for each in pictures:
            draft.append(each)
    flip(tmp_path / "pixels.bin", 2 * 27300 + 20_000)
    with drafting(tmp_path, 4, 3, None) as draft:
        assert draft.count == 2
        draft.append(pictures[2])
        draft.append(pictures[3])
        draft.seal("1", ())
    windows = Cache(tmp_path, "1").windows([(i, 0, 0, 70, 130) for i in range(4)])
    assert all(np.array_equal(a, b) for a, b in zip(windows, pictures, strict=True))


def test_windows_show_what_they_cover_at_every_place(tmp_path):
    pictures = [picture(i, *size).transpose(2, 0, 1) for i, size in enumerate([(70, 130), (64, 5)])]
    with drafting(tmp_path, 2, 3, None) as draft:
        for each in pictures:
            draft.append(each)
        draft.seal("1", ("said",))
    cache = Cache(tmp_path, "1")
    assert cache.sizes().tolist() == [[70, 130], [64, 5]] and cache.facts.notes == ("said",)
    rng = np.random.default_rng(0)
    windows = []
    for _ in range(200):
        i = int(rng.integers(2))
        _, height, width = pictures[i].shape
        top, left = int(rng.integers(height)), int(rng.integers(width))
        high, wide = int(rng.integers(1, height - top + 1)), int(rng.integers(1, width - left + 1))
        windows.append((i, top, left, high, wide))
    for (i, top, left, high, wide), part in zip(windows, cache.windows(windows), strict=True):
        assert np.array_equal(part, pictures[i][:, top : top + high, left : left + wide])
    flip(tmp_path / "pixels.bin", 3 * 64 * 64 + 5)  # the second tile
    assert len(cache.windows([(0, 0, 0, 64, 64), (0, 64, 0, 6, 130), (1, 0, 0, 64, 5)])) == 3
    damaged = [(0, 0, 60, 5, 5), (0, 0, 64, 5, 5)]
    with pytest.raises(DamageError) as caught:
        cache.windows(damaged)
    assert caught.value.pictures == (0,)
    flip(tmp_path / "pixels.bin", pictures[0].size)
    with pytest.raises(DamageError) as caught:
        cache.windows([(1, 0, 0, 5, 5), *damaged])
    assert caught.value.pictures == (0, 1)  # all of them


READ = (
    "import sys, softdiffusion.data as data\n"
    "_, folder, kept, size = sys.argv\n"
    "print(data.open(f'folder:{folder}', cache=kept, size=int(size)).digest())\n"
)


def reader(folder, kept, size=16):
    command = [sys.executable, "-c", READ, str(folder), str(kept), str(size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Pictures that several processes decode, and that take long enough to be stopped."""
    folder = tmp_path_factory.mktemp("large")
    noise = picture(0, 560, 560)  # 0.94 MB each
    for i in range(20):
        Image.fromarray(np.roll(noise, i, 0)).save(folder / f"{i:02d}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def digest(large, tmp_path_factory):
    return data.open(f"folder:{large}", size=16, cache=tmp_path_factory.mktemp("other")).digest()


def await_pictures(count, process, kept):
    deadline = time.monotonic() + 60
    while not any(file.stat().st_size >= 24 * count for file in kept.glob("*/index.bin")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(signal.SIGKILL, id="is killed"),
        pytest.param(signal.SIGCONT, id="goes on", marks=pytest.mark.slow),
    ],
)
def test_one_process_builds_what_others_wait_for_and_go_on_with(large, digest, kept, end):
    first = reader(large, kept)
    await_pictures(5, first, kept)
    first.send_signal(signal.SIGSTOP)
    pixels = place(kept) / "pixels.bin"
    begun = pixels.stat()
    assert begun.st_size < 18 * 3 * 16 * 16 and not (place(kept) / "cache.json").exists()
    second = reader(large, kept)
    assert (
        second.stderr.readline()
        == f"another process decodes folder:{large.name}; this one waits for it\n"
    )
    first.send_signal(end)
    read, told = second.communicate()
    assert read.strip() == digest and second.returncode == 0
    assert pixels.stat().st_ino == begun.st_ino and pixels.stat().st_size == 18 * 3 * 16 * 16
    read, _ = first.communicate()
    if end == signal.SIGCONT:
        assert read.strip() == digest and told == ""  # the second one decodes nothing
    else:
        assert read == "" and first.returncode == -signal.SIGKILL


def test_processes_that_decode_end_with_the_one_that_is_killed(large, kept):
    """Also while what they have decoded, more than a pipe holds, is still to be read."""
    builder = reader(large, kept, size=560)
    await_pictures(1, builder, kept)
    builder.kill()
    builder.communicate(timeout=30)  # until the last process that writes there has ended
    assert builder.returncode == -signal.SIGKILL and not (place(kept) / "cache.json").exists()


def age(folder):
    for path in (*folder.iterdir(), folder):
        os.utime(path, (1, 1))


def test_caches_that_nobody_opens_are_deleted_when_another_is_made(folder, kept):
    opened(folder, kept).tensor()
    old = place(kept)
    others = [kept / "notes", kept / ("0" * 64)]  # not written here
    for other in others:
        other.mkdir()
        (other / "pixels.txt").touch()
        age(other)
    age(old)
    opened(folder, kept)  # counts as use
    opened(folder, kept, size=8).tensor()
    assert old.exists()
    age(old)
    opened(folder, kept, size=9).tensor()
    assert not old.exists() and len(list(kept.iterdir())) == 4
    assert all((other / "pixels.txt").exists() for other in others)


def test_caches_that_others_begin_or_go_on_with_are_not_deleted(folder, kept):
    begun = kept / ("0" * 64)
    begun.mkdir(parents=True)
    resumed = kept / ("1" * 64)
    with locked(resumed / "lock"), drafting(resumed, 2, 1, None) as draft:
        draft.append(picture(0, channels=1)[None])
        age(resumed)
        opened(folder, kept).tensor()
    assert begun.exists() and (resumed / "pixels.bin").stat().st_size == 144


def test_all_files_that_can_not_be_read_are_named_with_a_cache_too(tmp_path, kept):
    folder = fill(tmp_path / "pictures")
    for name in ("003.png", "015.png"):
        (folder / name).write_text("no picture")
    with pytest.raises(ValueError, match=r"003.png can't .*, and the same of 1 other: .*015.png\."):
        opened(folder, kept).tensor()
    for name in ("003.png", "015.png"):
        Image.fromarray(picture(0)).save(folder / name)
    assert len(opened(folder, kept).tensor()) == 18


def test_different_sizes_need_a_size_with_a_cache_too(folder, kept):
    Image.fromarray(picture(1, height=10)).save(folder / "015.png")
    with pytest.raises(
        ValueError, match=r"000\.png has 12 x 12 .*015\.png has 12 x 10.*give a siz"
    ):
        opened(folder, kept).tensor()
    assert [path.name for path in place(kept).iterdir()] == ["lock"]


def test_a_cache_that_can_not_be_written_is_named(folder, kept):
    kept.write_text("a file in the way")
    with pytest.raises(OSError, match=str(kept)):
        opened(folder, kept).tensor()
