import gzip
import os
import struct

import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion.data as data
from softdiffusion.data.fashion_mnist import DEBIAN_FOLDER

needs_fashion_mnist = pytest.mark.skipif(
    not DEBIAN_FOLDER.is_dir(), reason="Fashion-MNIST is absent: Debian's dataset-fashion-mnist"
)


def idx(array):
    return (
        bytes((0, 0, 8, array.ndim))
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


@pytest.fixture
def four_files(tmp_path):
    """A tiny Fashion-MNIST: the training files as .gz, the test files plain."""
    rng = np.random.default_rng(0)
    arrays = {}
    for prefix, count in (("train", 6), ("t10k", 4)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        arrays[prefix] = images, labels
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            if prefix == "train":
                (tmp_path / f"{prefix}-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (tmp_path / f"{prefix}-{name}-ubyte").write_bytes(idx(array))
    return tmp_path, arrays


def test_digits_are_split_without_loss():
    from sklearn.datasets import load_digits

    train, test = data.open("digits"), data.open("digits", split="test")
    assert (len(train), len(test)) == (1497, 300)
    assert train.shape == test.shape == (1, 8, 8)
    assert train.labels.dtype == torch.int64
    ours = torch.cat([train.tensor(), test.tensor()]).flatten(1)
    ours = torch.cat([ours * 8 + 8, torch.cat([train.labels, test.labels])[:, None].float()], 1)
    original = load_digits()
    theirs = np.concatenate([original.data, original.target[:, None]], 1)
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))


def test_the_split_of_the_digits_stays():
    """Another split would test trained models on their own training images."""
    assert data.open("digits", split="test").labels[:10].tolist() == [6, 5, 5, 7, 9, 9, 8, 4, 6, 8]


def test_every_class_of_digits_is_in_both_splits():
    for split in ("train", "test"):
        assert data.open("digits", split=split).labels.unique().tolist() == list(range(10))


def test_size_and_channels_of_arrays():
    whole = data.load("digits")
    small = data.open("digits", size=4, channels=3)
    assert small.shape == (3, 4, 4)
    expected = torch.nn.functional.avg_pool2d(whole, 2).expand(-1, 3, -1, -1)
    assert torch.allclose(small.tensor(), expected, rtol=0, atol=1e-6)


def test_a_larger_size_of_arrays_is_a_black_frame():
    images = data.open("digits", size=12).tensor()
    whole = data.load("digits")
    assert torch.equal(images[..., 2:10, 2:10], whole)
    assert images.sum() == pytest.approx(float(whole.sum()) - len(whole) * (12**2 - 8**2))


@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_fashion_mnist_from_a_folder(four_files, split, prefix):
    folder, arrays = four_files
    images = data.open(f"fashion-mnist:{folder}", split=split)
    pixels, labels = arrays[prefix]
    assert images.name == "fashion-mnist"
    assert torch.equal(images.tensor()[:, 0], torch.from_numpy(pixels).float() / 127.5 - 1)
    assert images.labels.tolist() == labels.tolist()


def test_fashion_mnist_of_fractional_size(four_files):
    folder, _ = four_files
    small = data.load(f"fashion-mnist:{folder}", size=16)
    whole = data.load(f"fashion-mnist:{folder}")
    assert small.shape == (6, 1, 16, 16)
    assert torch.allclose(small.mean((1, 2, 3)), whole.mean((1, 2, 3)), rtol=0, atol=1e-5)


def test_classes_have_names(four_files):
    folder, _ = four_files
    for split in ("train", "test"):
        assert data.open("digits", split=split).classes == tuple("0123456789")
        names = data.open(f"fashion-mnist:{folder}", split=split).classes
        assert len(names) == 10 and (names[0], names[9]) == ("T-shirt/top", "Ankle boot")


@needs_fashion_mnist
def test_the_real_fashion_mnist():
    for split, count in (("train", 60_000), ("test", 10_000)):
        images = data.open("fashion-mnist", split=split)
        assert len(images) == count
        assert images.shape == (1, 28, 28)
        assert images.labels.bincount().tolist() == [count // 10] * 10


def test_absent_fashion_mnist_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt-get install dataset-fashion-mnist"):
        data.open(f"fashion-mnist:{tmp_path}")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:100] + bytes(50) + content[150:],
        lambda content: b"no gzip at all",
        lambda content: gzip.compress(gzip.decompress(content)[:-1]),
        lambda content: gzip.compress(gzip.decompress(content) + b"\0"),
        lambda content: gzip.compress(b"\0\0\x0d" + gzip.decompress(content)[3:]),
        lambda content: gzip.compress(idx(np.zeros(6, np.uint8))),
    ],
    ids=["cut", "empty", "overwritten", "other", "short", "long", "floats", "labels"],
)
def test_damaged_idx_files(four_files, damage):
    folder, _ = four_files
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz is damaged"):
        data.open(f"fashion-mnist:{folder}")


def test_truncated_raw_idx_file(four_files):
    folder, _ = four_files
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="announces 4 values but holds 3"):
        data.open(f"fashion-mnist:{folder}", split="test")


def test_a_small_file_that_holds_no_end_of_numbers_is_refused(four_files):
    folder, _ = four_files
    path = folder / "train-images-idx3-ubyte.gz"
    zeros = gzip.compress(bytes(2**24))  # 16 kB; one after the other they are one file
    for shape, message in (
        ((6, 28, 28), "announces 4704 values but holds more"),
        ((2**20, 2**20, 2**20), "announces 1,152,921,504,606,846,976 values, but 1 to"),
    ):
        start = bytes((0, 0, 8, 3)) + struct.pack(">3I", *shape)
        path.write_bytes(gzip.compress(start) + zeros * 50)
        with pytest.raises(ValueError, match=f"ubyte.gz is damaged: it {message}"):
            data.open(f"fashion-mnist:{folder}")


def test_labels_beyond_the_classes_are_refused(four_files):
    folder, _ = four_files
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([0, 3, 10, 9], np.uint8)))
    with pytest.raises(ValueError, match="t10k-labels-.* damaged: they reach 10, but there are 10"):
        data.open(f"fashion-mnist:{folder}", split="test")


def test_pipes_and_folders_are_no_idx_files(four_files):
    folder, _ = four_files
    path = folder / "t10k-labels-idx1-ubyte"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="ubyte is a pipe, a socket or a device"):
        data.open(f"fashion-mnist:{folder}", split="test")
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match="ubyte is a folder, where a file is needed"):
        data.open(f"fashion-mnist:{folder}", split="test")


def test_images_without_pixels_are_refused(four_files):
    folder, _ = four_files
    for shape in ((4, 0, 28), (0, 28, 28)):
        content = idx(np.zeros(shape, np.uint8))
        (folder / "t10k-images-idx3-ubyte").write_bytes(content)
        (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(shape[0], np.uint8)))
        for size in (None, 14, 56):
            with pytest.raises(ValueError, match="announces 0 values"):
                data.open(f"fashion-mnist:{folder}", split="test", size=size)


def test_images_and_labels_must_match_in_number(four_files):
    folder, _ = four_files
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(ValueError, match="one label an image"):
        data.open(f"fashion-mnist:{folder}", split="test")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mnist", {}, "use digits, fashion-mnist, fashion-mnist:PATH, folder:PATH or hub:NAME"),
        ("digits:8", {}, "Unknown data"),
        ("folder:", {}, "Unknown data"),
        ("digits", {"split": "validation"}, "train or test"),
        ("digits", {"channels": 2}, "1 or 3 channels"),
        ("digits", {"size": 0}, "size in pixels must be in"),
        ("digits", {"size": 10**9}, "in \\[1, 13000\\], but is 1000000000"),
    ],
)
def test_bad_arguments(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.open(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", ["8", 8.0, [8]])
def test_a_size_is_a_whole_number(size):
    with pytest.raises(TypeError, match="The .* must be a whole number, but is "):
        data.open("digits", size=size)


def test_the_home_folder_is_known_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "pictures" / "1.png")
    assert len(data.open("folder:~/pictures", cache="~/cache").tensor()) == 1
    assert [path.name for path in (tmp_path / "cache").glob("*/*.json")] == ["cache.json"]
    for name, options in (
        ("folder:~nobody.here/a", {}),
        ("hub:~nobody.here/a", {}),
        ("folder:~/pictures", {"cache": "~nobody.here/a"}),
    ):
        with pytest.raises(ValueError, match="home folder in '~nobody.here/a' is not known"):
            data.open(name, **options)
