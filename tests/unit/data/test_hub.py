import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion.data as data
from tests.hub_sets import NAMES, as_png, features, images, map_style, pixels, row


@pytest.fixture
def saved(tmp_path):
    """25 rows that `save_to_disk` has written."""
    map_style(25).save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def of_pictures(pictures, **others):
    """A data set of pictures, given as arrays or as files, and of other columns."""
    import datasets

    files = [as_png(p) if isinstance(p, np.ndarray) else p for p in pictures]
    columns = {"image": [{"bytes": file, "path": None} for file in files], **others}
    return datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())


def test_a_saved_data_set_keeps_its_order_and_every_tenth_row_is_held_out(saved):
    train = data.open(f"hub:{saved}")
    test = data.open(f"hub:{saved}", split="test")
    rest = [i for i in range(25) if i not in (9, 19)]
    assert train.shape == (3, 12, 12) and train.name == "hub:saved" and train.classes == NAMES
    assert torch.equal(train.tensor(), images(rest))
    assert torch.equal(test.tensor(), images([9, 19]))
    assert train.labels.tolist() == [i % 2 for i in rest] and train.labels.dtype == torch.int64
    assert torch.equal(train.batch(torch.tensor([22, 0, 22])), images([24, 0, 24]))
    assert train.notes == (
        "every tenth row is held out as the test split, 2 of 25",
        "images from the column image, labels from label",
        "3 channels, since the picture in row 0 has colour",
    )
    in_memory = data.ArrayImages("same", train.tensor())
    assert train.digest() == in_memory.digest()


@pytest.mark.parametrize("held_out", ["validation", "valid", "test"])
def test_splits_of_its_own(tmp_path, held_out):
    import datasets

    both = datasets.DatasetDict({"train": map_style(12), held_out: map_style(3, start=12)})
    both.save_to_disk(tmp_path)
    assert torch.equal(data.open(f"hub:{tmp_path}").tensor(), images(list(range(12))))
    test = data.open(f"hub:{tmp_path}", split="test")
    assert torch.equal(test.tensor(), images([12, 13, 14]))
    assert test.notes[0] == f"train and {held_out} are the splits for training and test"


def test_a_split_with_another_name_alone_is_divided(tmp_path):
    import datasets

    datasets.DatasetDict({"full": map_style(10)}).save_to_disk(tmp_path / "full")
    assert len(data.open(f"hub:{tmp_path / 'full'}", split="test")) == 1
    datasets.DatasetDict({"test": map_style(10)}).save_to_disk(tmp_path / "test")
    with pytest.raises(ValueError, match="hub:test has no split train, but test; give"):
        data.open(f"hub:{tmp_path / 'test'}")


def test_folders_of_pictures_and_parquet_are_loaded_by_their_path(tmp_path):
    for i in range(4):
        path = tmp_path / "folder" / "train" / NAMES[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_png(pixels(i)))
    (tmp_path / "parquet").mkdir()
    file = tmp_path / "parquet" / "train.parquet"
    map_style(4).to_parquet(file)
    found = data.open(f"hub:{tmp_path / 'folder'}")
    assert torch.equal(found.tensor(), images([0, 2, 1, 3]))  # by their names
    assert found.labels.tolist() == [0, 0, 1, 1] and found.classes == NAMES
    for place in (file, file.parent):
        found = data.open(f"hub:{place}")
        assert torch.equal(found.tensor(), images([0, 1, 2, 3]))
        assert found.labels.tolist() == [0, 1, 0, 1]


def test_pictures_are_read_as_those_of_folders_are(tmp_path):
    """Upright, on white, resized and cropped: by the reader of the folder, byte for byte."""
    folder = tmp_path / "folder"
    folder.mkdir()
    lying = Image.fromarray(pixels(0, 20, 30))
    exif = Image.Exif()
    exif[274] = 6
    lying.save(folder / "0.jpg", exif=exif)
    opaque = np.random.default_rng(1).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    Image.fromarray(opaque).save(folder / "1.png")
    Image.fromarray(pixels(2)[..., 0]).save(folder / "2.png")
    Image.fromarray(pixels(3)[..., 0].astype(np.uint16) * 200).save(folder / "3.png")
    Image.fromarray(pixels(4)).quantize(8).save(folder / "4.gif")
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    for channels in (1, 3):
        expected = data.load(f"folder:{folder}", size=8, channels=channels)
        found = data.HubImages(of_pictures(files), size=8, channels=channels)
        assert torch.equal(found.tensor(), expected)


def test_columns_are_found_or_named(tmp_path):
    import datasets

    two = datasets.ClassLabel(names=["x", "y", "z"])
    others = [as_png(pixels(i)) for i in range(4, 8)]
    both = map_style(4).add_column("small", others).cast_column("small", datasets.Image())
    both = both.add_column("fine", [2, 1, 0, 2]).cast_column("fine", two)
    both = both.add_column("number", [7, 8, 9, None])
    both.save_to_disk(tmp_path)
    with pytest.raises(
        ValueError, match="2 columns of images, image, small; name one.*image=image"
    ):
        data.open(f"hub:{tmp_path}")
    with pytest.raises(ValueError, match="2 columns of labels, label, fine; name one"):
        data.open(f"hub:{tmp_path}:image=small")
    named = data.HubImages(both, image="small", label="fine")
    assert torch.equal(named.tensor(), images([4, 5, 6, 7]))
    assert named.labels.tolist() == [2, 1, 0, 2] and named.classes == ("x", "y", "z")
    spelled = data.open(f"hub:{tmp_path}:label=number:image=image")
    assert spelled.labels.tolist() == [7, 8, 9, -1] and spelled.classes is None
    with pytest.raises(ValueError, match="no column of labels called 'image'.*label, fine, number"):
        data.HubImages(both, image="small", label="image")
    with pytest.raises(ValueError, match="no column of images called 'fine'.*: image, small"):
        data.HubImages(both, image="fine")


def test_absent_labels_are_none(saved):
    import datasets

    rows = [row(0), {**row(1), "label": -1}, {**row(2), "label": None}]
    found = data.HubImages(datasets.Dataset.from_list(rows, features=features()))
    assert found.labels.tolist() == [0, -1, -1]
    unlabelled = data.HubImages(of_pictures([pixels(0)]))
    assert unlabelled.labels is None and unlabelled.classes is None


def test_channels_are_three_if_any_picture_has_colour():
    grey, colour = pixels(0)[..., 0], pixels(1)
    without = data.HubImages(of_pictures([grey, grey]))
    assert without.shape == (1, 12, 12)
    assert without.notes[-1] == "1 channel, since no picture has colour"
    mixed = data.HubImages(of_pictures([grey, colour]))
    assert mixed.tensor().shape == (2, 3, 12, 12)
    assert mixed.notes[-1] == "3 channels, since the picture in row 1 has colour"
    said = data.HubImages(of_pictures([colour]), channels=1).notes[-1]
    assert said == "colour is left out: 1 channel is asked for, row 0 of data has 3"


def test_pictures_are_decoded_once_into_a_cache(saved, tmp_path):
    direct = data.open(f"hub:{saved}", size=8)
    cached = data.open(f"hub:{saved}", size=8, cache=tmp_path / "cache")
    assert torch.equal(cached.tensor(), direct.tensor())
    assert cached.digest() == direct.digest()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*/pixels.bin")}
    again = data.open(f"hub:{saved}", size=8, cache=tmp_path / "cache")
    assert torch.equal(again.tensor(), direct.tensor()) and again.notes == direct.notes
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*/pixels.bin")} == kept
    other = data.open(f"hub:{saved}", size=8, split="test", cache=tmp_path / "cache")
    assert len(other.tensor()) == 2 and len(list(tmp_path.glob("cache/*/pixels.bin"))) == 2


def test_files_that_a_data_set_names_are_known_by_their_times(tmp_path):
    import datasets

    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for i, path in enumerate(paths):
        Path(path).write_bytes(as_png(pixels(i)))
    rows = datasets.Dataset.from_dict({"image": paths}).cast_column("image", datasets.Image())
    cache = tmp_path / "cache"
    before = data.HubImages(rows, cache=cache)
    assert torch.equal(before.tensor(), images([0, 1, 2]))
    Path(paths[1]).write_bytes(as_png(pixels(7)))
    assert torch.equal(data.HubImages(rows, cache=cache).tensor(), images([0, 7, 2]))
    Path(paths[1]).unlink()
    with pytest.raises(ValueError, match=r"no image in row 0 of data .*1\.png"):
        data.HubImages(rows.select([1, 2]), cache=cache)


def test_crops_are_those_of_the_same_pictures_in_a_folder(tmp_path):
    sides = [(20, 30), (12, 12), (33, 17)]
    (tmp_path / "folder").mkdir()
    for i, (height, width) in enumerate(sides):
        (tmp_path / "folder" / f"{i}.png").write_bytes(as_png(pixels(i, height, width)))
    of_pictures([pixels(i, *side) for i, side in enumerate(sides)]).save_to_disk(tmp_path / "saved")
    asked = {"crop": 8, "crop_scale": 0.5, "cache": tmp_path / "cache"}
    folder = data.open(f"folder:{tmp_path / 'folder'}", **asked)
    hub = data.open(f"hub:{tmp_path / 'saved'}", **asked)
    indices, seeds = torch.tensor([0, 1, 2, 4]), torch.tensor([5, 6, 7, 8])
    assert hub.shape == (3, 8, 8) and hub.name == "hub:saved"
    assert torch.equal(hub.batch(indices), folder.batch(indices))
    assert torch.equal(hub.draw(indices, seeds), folder.draw(indices, seeds))
    small = data.open(f"hub:{tmp_path / 'saved'}", crop=16)
    with pytest.raises(ValueError, match="picture row 1 of hub:saved has 12 x 12 pixels, too few"):
        small.batch(indices)


def test_workers_that_load_data_read_the_same(saved, tmp_path):
    for cache in (None, tmp_path / "cache"):
        images = data.open(f"hub:{saved}", cache=cache)
        sent = pickle.loads(pickle.dumps(images))
        assert torch.equal(sent.tensor(), images.tensor())
        assert torch.equal(pickle.loads(pickle.dumps(images)).tensor(), images.tensor())


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            b"no picture",
            r"^The image in row 1 of data can't be read \(it is not of the formats .*\)",
        ),
        (
            as_png(pixels(0))[:-40],
            r"^The image in row 1 of data can't be read \(.*\); give another",
        ),
        (None, r"^There is no image in row 1 of data, but None; filter such rows out"),
        (
            as_png(pixels(0, 9, 14)),
            "row 0 of data has 12 x 12 pixels but row 1 of data has 14 x 9; give a size",
        ),
    ],
    ids=["other", "damaged", "none", "size"],
)
def test_a_picture_that_does_not_serve_is_named_by_its_row(second, message):
    found = of_pictures([pixels(0), second or b""])
    if second is None:
        found = found.map(
            lambda row, i: {"image": row["image"] if i == 0 else None}, with_indices=True
        )
    with pytest.raises(ValueError, match=message):
        data.HubImages(found).tensor()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("hub::config", ValueError, "':config' names no data set; write hub:NAME"),
        ("hub:some/name:a:b", ValueError, "'b' in 'some/name:a:b' is not understood; write hub:"),
        ("hub:some/name:column=b", ValueError, "'column=b' in .* is not understood"),
        ("hub:some/name:image=", ValueError, "'image=' in .* is not understood"),
        (
            "hub:some/name",
            FileNotFoundError,
            r"'?some/name'? can't be loaded \(.*\); check its name",
        ),
        ("hub:./nowhere", FileNotFoundError, "can't be loaded"),
    ],
)
def test_names_that_lead_nowhere(name, error, message):
    with pytest.raises(error, match=message) as caught:
        data.open(name)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_is_not_there(saved, tmp_path):
    with pytest.raises(
        ValueError, match=r"can't be loaded \(save_to_disk writes no configurations\)"
    ):
        data.open(f"hub:{saved}:large")
    map_style(2).to_parquet(tmp_path / "p" / "train.parquet")
    with pytest.raises(ValueError, match=r"can't be loaded \(BuilderConfig 'large' not found"):
        data.open(f"hub:{tmp_path / 'p'}:large")


def test_a_data_set_in_python_is_a_set_of_images():
    dataset = map_style(3)
    assert torch.equal(data.as_set(dataset).tensor(), images([0, 1, 2]))
    with pytest.raises(TypeError, match="but are an IterableDataset; give .*data.Stream for one"):
        data.as_set(dataset.to_iterable_dataset())


def test_without_its_package_the_extra_is_named(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"pip install 'softdiffusion\[hub\]'"):
        data.open(f"hub:{saved}")


def test_what_holds_no_images_is_refused(tmp_path):
    import datasets

    with pytest.raises(ValueError, match="data has no column of images, but text; cast"):
        data.HubImages(datasets.Dataset.from_dict({"text": ["a"]}))
    with pytest.raises(ValueError, match="data has no rows"):
        data.HubImages(map_style(3).select([]))
    with pytest.raises(TypeError, match="a datasets.Dataset, but is given a DatasetDict"):
        data.HubImages(datasets.DatasetDict({"train": map_style(3)}))


@pytest.mark.parametrize("kind", ["HubImages", "Stream"])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"channels": 2}, ValueError, "Images have 1 or 3 channels, not 2"),
        ({"size": 0}, ValueError, "The size in pixels must be .*, but is 0"),
        ({"size": "8"}, TypeError, "The size in pixels must be a whole number, but is '8'"),
    ],
)
def test_what_no_image_has_is_refused_in_python_too(kind, options, error, message):
    dataset = map_style(3) if kind == "HubImages" else map_style(3).to_iterable_dataset()
    with pytest.raises(error, match=message):
        getattr(data, kind)(dataset, **options)


def test_labels_without_a_class_are_refused():
    found = map_style(3).add_column("number", [7, -7, 8])
    message = "labels of data must be -1 for no class, or at least 0, but one is -7"
    with pytest.raises(ValueError, match=message):
        data.HubImages(found, label="number")
    stream = data.Stream(found.to_iterable_dataset(), label="number", name="data")
    with pytest.raises(ValueError, match=message):
        stream.read(3)


@pytest.mark.parametrize("path", ["nosuch://place/1.png", None])
def test_a_picture_of_nowhere_is_named_by_its_row(path):
    import datasets
    import pyarrow

    whole = {"bytes": as_png(pixels(0)), "path": None}
    table = pyarrow.table({"image": [whole, {"bytes": None, "path": path}]})
    found = datasets.Dataset(table).cast_column("image", datasets.Image())
    with pytest.raises(ValueError, match="row 1 of data.*(nosuch|without bytes and path)"):
        data.HubImages(found).tensor()
