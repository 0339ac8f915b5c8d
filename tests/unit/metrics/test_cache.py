"""Features of real images are computed once, and a damaged cache changes nothing."""

import os

import pytest
import torch

from softdiffusion.metrics import cache, cached_features, extractor

DIGITS = extractor("digits-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "softdiffusion" / "features"


def images(seed: int = 0, count: int = 1000):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, 8, 8, generator=generator) * 2 - 1


def kept(folder):
    return sorted(folder.iterdir()) if folder.exists() else []


def test_cached_features_are_the_features(folder):
    x = images()
    first, again = cached_features(x, DIGITS), cached_features(x, DIGITS)
    assert first.equal(DIGITS.extract(x)) and again.equal(first)
    (file,) = kept(folder)
    written = file.stat().st_mtime_ns
    os.utime(file, ns=(0, 0))
    cached_features(x.clone(), DIGITS)
    assert file.stat().st_mtime_ns >= written  # it counts as used now


def test_other_images_have_other_features(folder):
    cached_features(images(0), DIGITS)
    assert cached_features(images(1), DIGITS).equal(DIGITS.extract(images(1)))
    swapped = images(0).flip(0)
    assert cached_features(swapped, DIGITS).equal(DIGITS.extract(swapped))
    assert len(kept(folder)) == 3


def test_few_images_leave_no_file(folder):
    cached_features(images(count=999), DIGITS)
    assert kept(folder) == []


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "text"])
def test_a_damaged_file_is_said_and_made_again(damage, folder):
    first = cached_features(images(), DIGITS)
    (file,) = kept(folder)
    content = bytearray(file.read_bytes())
    content[-7] ^= 1
    damaged = {"cut": content[:-9], "empty": b"", "flipped": content, "text": b"no features"}
    file.write_bytes(damaged[damage])
    with pytest.warns(UserWarning, match=r"cached features .* are damaged, so they are computed"):
        assert cached_features(images(), DIGITS).equal(first)
    assert cached_features(images(), DIGITS).equal(first)


def test_a_cache_that_can_not_be_written_costs_time_alone(folder, tmp_path):
    (tmp_path / "softdiffusion").write_text("a file in the way")
    with pytest.warns(UserWarning, match="can't be kept for the next evaluation"):
        assert cached_features(images(), DIGITS).equal(DIGITS.extract(images()))


def test_the_cache_is_bounded_and_touches_no_other_files(folder, monkeypatch):
    cached_features(images(0), DIGITS)
    (oldest,) = kept(folder)
    os.utime(oldest, (1, 1))
    foreign = folder / "notes.safetensors"
    foreign.write_bytes(b"x" * 10**6)
    (folder / f".{'0' * 64}.safetensors.draft").write_bytes(b"left by a kill")
    monkeypatch.setattr(cache, "_LIMIT", int(1.5 * oldest.stat().st_size))
    cached_features(images(1), DIGITS)
    assert not oldest.exists() and foreign.exists() and len(kept(folder)) == 2
