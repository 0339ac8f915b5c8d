import os
import re
import socket
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import softdiffusion.data as data
from softdiffusion.data.layout import understood

TABLE = Path(__file__).parents[3] / "docs" / "data.md"
SPLITS = ("train", "test")

#: What is hardly the name of a class, and so never trained on.
HELD_OUT = {"test", "val", "validation"}


def rows() -> list[list[list[str]]]:
    """The table of docs/data.md: the cells of every row, each as its names or else its words."""
    lines = re.findall(r"^\| (`.*) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [[cell.strip() for cell in f"{line} ".split("| ")] for line in lines]
    return [[re.findall("`(.*?)`", cell) or cell.split() for cell in row] for row in cells]


def write(folder: Path, places: list[str], count: int = 12) -> None:
    """Small pictures, `count` in each place such as "train/cat/*"."""
    for place in places:
        for number in range(count):
            path = folder / place.replace("*", f"{number:02}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (2, 2), number).save(path)


def names(files: list[Path], folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_the_table_is_there():
    assert len(rows()) > 20 and all(len(row) == 4 for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: " ".join(row[0]))
def test_every_layout_of_the_table(tmp_path, row):
    places, train, test, classes = row
    write(tmp_path, places)
    if train == ["refused"]:
        for split in SPLITS:
            with pytest.raises(
                ValueError, match="layout of .* can't be understood: .*found: "
            ) as e:
                data.open(f"folder:{tmp_path}", split=split)
            assert str(e.value).isprintable()
        return
    every = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.png"))
    if train == ["the", "rest"]:
        below = [path for path in every if "train/" not in places[0] or path.parts[0] == "train"]
        expected = {"test": below[9::10], "train": [p for p in below if p not in below[9::10]]}
    else:
        splits = {"train": train[0], "test": test[0]}
        expected = {
            split: [path for path in every if path.parts[0] == name]
            for split, name in splits.items()
        }
    for split in SPLITS:
        images = data.open(f"folder:{tmp_path}", split=split)
        assert names(images.files, tmp_path) == [path.as_posix() for path in expected[split]]
        assert images.classes == (tuple(classes) or None)
        if images.labels is not None:
            found = [classes[label] for label in images.labels.tolist()]
            assert all(c in file.parts for c, file in zip(found, images.files, strict=True))
        flat = any(len(Path(place).parts) < 3 for place in places if place.startswith("test"))
        assert (images.labels is None) == (not classes or (split == "test" and flat))


folders = st.lists(
    st.lists(
        st.sampled_from(["train", "Train", "test", "val", "dev", "cat", "dog", "bird"]), max_size=3
    ),
    min_size=1,
    max_size=6,
    unique_by=tuple,
)


@settings(max_examples=100)
@given(folders=folders, count=st.integers(1, 11))
def test_any_layout_is_understood_without_mixing_splits_or_refused(
    tmp_path_factory, folders, count
):
    root = tmp_path_factory.mktemp("root")
    write(root, ["/".join([*parts, "*"]) for parts in folders], count)
    try:
        layout = understood(root)
    except ValueError as error:
        assert "can't be understood" in str(error) and "found: " in str(error)
        return
    files = {
        split: [layout.roots[split].joinpath(*parts) for parts in layout.files[split]]
        for split in SPLITS
    }
    assert not set(files["train"]) & set(files["test"])
    # Nothing is lost without a word.
    said = re.findall(r"([\d,]+) pictures (?:in|beside)", " ".join(layout.notes))
    assert sum(map(len, files.values())) + sum(map(int, said)) == len(folders) * count
    # What is called a split is one, and nothing else is trained on.
    top = {parts[0].lower() for parts in folders if parts}
    trained = {
        name.lower() for file in files["train"] for name in file.relative_to(root).parts[:-1]
    }
    assert not trained & HELD_OUT
    if "train" in top:
        assert all(file.relative_to(root).parts[0].lower() == "train" for file in files["train"])
    for split in layout.labelled:
        assert {parts[0] for parts in layout.files[split]} <= set(layout.classes)


def test_a_refusal_says_what_was_found(tmp_path):
    write(tmp_path, ["train/*", "cat/*", "*"], 3)
    message = (
        r"cat lies beside train, and belongs to no split; move it below train, or out of the "
        r"folder \(found: cat with 3 pictures, train with 3 pictures, 3 pictures beside them\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        understood(tmp_path)


def test_the_notes_say_how_a_folder_was_understood(tmp_path):
    write(tmp_path, ["a/*", "b/*", ".cache/*"], 15)
    (tmp_path / "a" / "._00.png").write_bytes(b"a Mac's")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"a Windows'")
    (tmp_path / "b" / "list.txt").write_text("words")
    (tmp_path / "b" / "01.HEIC").write_bytes(b"a phone's")
    (tmp_path / "b" / "lost.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "b" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.bind(str(tmp_path / "b" / "socket.png"))
        images = data.open(f"folder:{tmp_path}")
    assert images.notes == (
        "every tenth file is held out as the test split, 3 of 30",
        "2 classes: a, b",
        "left out: 2 pipes, sockets or devices, 1 .db, 1 .heic (pip install pillow-heif), 1 .txt, "
        "1 broken links, 1 hidden folders, 1 hidden pictures",
        "1 channel, since no file has colour",
    )
    assert len(images) == 27 and images.tensor().shape == (27, 1, 2, 2)


def test_links_to_folders_and_files_are_followed(tmp_path):
    write(tmp_path, ["store/a/*", "store/b/*", "data/c/*"])
    for name in "ab":
        (tmp_path / "data" / name).symlink_to(Path("..") / "store" / name)
    (tmp_path / "data" / "c" / "12.png").symlink_to(tmp_path / "data" / "c" / "11.png")
    images = data.open(f"folder:{tmp_path / 'data'}")
    assert images.classes == ("a", "b", "c")
    assert len(images) == 37 - 3 and images.labels.bincount().tolist() == [11, 11, 12]
    assert "1 pictures are there twice, through links" in images.notes
    plain = tmp_path / "plain"
    for name in "abc":
        (plain / name).mkdir(parents=True)
        for file in (tmp_path / "data" / name).iterdir():
            (plain / name / file.name).write_bytes(file.read_bytes())
    assert data.open(f"folder:{plain}").digest() == images.digest()


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_links_in_a_circle_are_refused(tmp_path, target):
    write(tmp_path, ["root/a/b/*"])
    (tmp_path / "root" / "a" / "b" / "back").symlink_to(target)
    with pytest.raises(ValueError, match="reached again and again .* remove the link"):
        understood(tmp_path / "root")


def test_links_that_multiply_are_refused(tmp_path):
    """Without a circle, 2 links each to the next of 40 folders lead to 2^40 of them."""
    for level in range(40):
        (tmp_path / "store" / str(level)).mkdir(parents=True)
        for name in "xy":
            (tmp_path / "store" / str(level) / name).symlink_to(f"../{level + 1}")
    write(tmp_path, ["store/40/*"], 1)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a").symlink_to("../store/0")
    with pytest.raises(ValueError, match="reached again and again"):
        understood(tmp_path / "root")


def test_a_class_does_not_vanish_by_its_suffixes(tmp_path):
    write(tmp_path, ["cat/*"])
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "0.jxl").write_bytes(b"none of ours")
    with pytest.raises(ValueError, match=r"no file of dog can be read, which has 1 .jxl \(convert"):
        understood(tmp_path)
    (tmp_path / "dog" / "0.jxl").rename(tmp_path / "dog" / "0.txt")  # hardly pictures
    assert understood(tmp_path).notes[1:] == ("1 class: cat", "left out: 1 .txt")
    write(tmp_path, ["train/cat/*"])
    with pytest.raises(ValueError, match="cat lies beside train"):
        understood(tmp_path)


def test_every_suffix_that_pillow_reads_counts(tmp_path):
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    for form, suffix in (
        ("JPEG", "jfif"),
        ("JPEG", "JPE"),
        ("JPEG2000", "jp2"),
        ("JPEG2000", "j2k"),
        ("AVIF", "avif"),
        ("PPM", "pgm"),
        ("TIFF", "tif"),
        ("PNG", "apng"),
    ):
        grey.save(tmp_path / f"{suffix}.{suffix}", form)
    layout = understood(tmp_path)
    assert len(layout.files["train"]) == 8 and layout.notes[1:] == ()
    assert data.load(f"folder:{tmp_path}", channels=1).shape == (8, 1, 16, 16)


def test_two_splits_of_equal_files_are_counted_when_they_are_links(tmp_path):
    write(tmp_path, ["train/*"], 5)
    (tmp_path / "test").symlink_to("train")
    layout = understood(tmp_path)
    assert "5 pictures are there twice, through links" in layout.notes


def test_all_files_that_can_not_be_read_are_named_at_once(tmp_path):
    write(tmp_path, ["*"], 20)
    for number in (0, 3, 5, 9):
        (tmp_path / f"{number:02}.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"00.png can't be read .*of 2 others: .*03.png, .*05.png"):
        data.open(f"folder:{tmp_path}")
    write(tmp_path, ["*"], 1)
    images = data.open(f"folder:{tmp_path}")
    with pytest.raises(ValueError, match=r"03.png can't be read .*of 1 other: .*05.png\.$"):
        images.tensor()


def test_names_of_folders(tmp_path, monkeypatch):
    odd = "a folder: with ~ and 50% #1"
    write(tmp_path, [f"{odd}/*"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    digest = data.open(f"folder:{tmp_path / odd}").digest()
    for name in (odd, f"~/{odd}", f"./{odd}/", f"{odd}//", f"{odd}/../{odd}"):
        assert data.open(f"folder:{name}").digest() == digest
        assert data.open(f"folder:{name}").name == f"folder:{odd}"
    with pytest.raises(FileNotFoundError, match="00.png is a file, but a folder belongs behind"):
        data.open(f"folder:{tmp_path / odd / '00.png'}")
    with pytest.raises(ValueError, match="home folder in '~nobody-at-all/x' is not known"):
        data.open("folder:~nobody-at-all/x")
    with pytest.raises(TypeError, match="name of the data must be a text"):
        data.open(tmp_path)


def test_the_case_of_imagenet(tmp_path):
    """Train and validation images of two classes, told apart by their brightness."""
    for split, count in (("train", 20), ("val", 10)):
        for name, grey in (("cat", 60), ("dog", 190)):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(count):
                Image.new("L", (8, 8), grey + number).save(
                    tmp_path / split / name / f"{number}.png"
                )
    counts = {}
    for split in SPLITS:
        images = data.open(f"folder:{tmp_path}", split=split)
        counts[split] = len(images)
        assert images.classes == ("cat", "dog")
        assert torch.equal(images.labels, (images.tensor().mean((1, 2, 3)) > 0).long())
        assert "train and val are the splits for training and test" in images.notes
    assert counts == {"train": 40, "test": 20}
    assert Counter(images.labels.tolist()) == {0: 10, 1: 10}
