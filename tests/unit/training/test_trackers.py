"""What trackers are shown, read back from their own files."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softdiffusion.plots import save_grid
from softdiffusion.training import processes
from softdiffusion.training.trackers import Trackers, check_trackers
from tests.unit.training.test_extras import extended
from tests.unit.training.test_train import rows

CONFIG = {"seed": 3, "options": {"batch_size": 8}}


def row(images: int) -> dict:
    return {
        "images": images,
        "loss": images / 8,
        "loss_per_level": [1.0, None, 0.5],
        "gradient_norm": None,
    }


def track(folder: Path, tracker: str, images: int, until: int) -> Path:
    """A run that goes on from a position, with a row every 8 images and a picture at the end."""
    processes()
    trackers = Trackers(folder, [tracker], CONFIG, images)
    for position in range(images + 8, until + 1, 8):
        trackers.write(row(position))
    picture = folder / "samples.png"
    save_grid(torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), picture)
    trackers.picture(picture, until)
    trackers.close()
    return picture


def test_tensorboard_has_the_numbers_the_picture_and_the_recipe(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    track(tmp_path, "tensorboard", 0, 24)
    picture = track(tmp_path, "tensorboard", 16, 32)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    tags = events.Tags()
    assert sorted(tags["scalars"]) == ["loss", "loss_per_level/0", "loss_per_level/2"]
    # What lay behind the position at which the run went on was written once more, and counts once.
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [
        (8, 1.0),
        (16, 2.0),
        (24, 3.0),
        (32, 4.0),
    ]
    shown = events.Images("samples")
    assert [image.step for image in shown] == [32]
    (tmp_path / "shown.png").write_bytes(shown[0].encoded_image_string)
    pixels = [np.array(Image.open(p).convert("RGB")) for p in (picture, tmp_path / "shown.png")]
    assert np.array_equal(*pixels)
    assert b"batch_size: 8" in events.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0]


def test_a_training_shows_what_its_rows_say(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for images in (40, 96):
        extended(tmp_path, images, checkpoint_every=32)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name in ("loss", "validation_loss", "gradient_norm", "learning_rate"):
        shown = {event.step: event.value for event in events.Scalars(name)}
        written = {row["images"]: row[name] for row in rows(tmp_path) if name in row}
        assert shown == pytest.approx(written, rel=1e-6)  # TensorBoard keeps single precision


def records(path: Path):
    """The records of one of wandb's files, a log in LevelDB's format."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole = path.read_bytes(), 7, b""
    while at < len(content):
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


@pytest.mark.slow  # its service starts and ends twice, which takes eight seconds
def test_wandb_works_without_an_account_and_a_run_that_goes_on_stays_one(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))  # where an account would be
    monkeypatch.setenv("WANDB_SILENT", "true")
    track(tmp_path, "wandb", 0, 16)
    track(tmp_path, "wandb", 8, 24)
    known = json.loads((tmp_path / "trackers.json").read_text())["id"]
    first, second = sorted((tmp_path / "wandb").glob(f"offline-run-*/run-{known}.wandb"))
    for path, losses in ((first, {8: 1.0, 16: 2.0}), (second, {16: 2.0, 24: 3.0})):
        found = list(records(path))
        (run,) = [r.run for r in found if r.WhichOneof("record_type") == "run"]
        config = {u.key: json.loads(u.value_json) for u in run.config.update if u.key != "_wandb"}
        assert (run.run_id, run.display_name, config) == (known, tmp_path.name, CONFIG)
        history = [
            {"".join(item.nested_key) or item.key: item.value_json for item in r.history.item}
            for r in found
            if r.WhichOneof("record_type") == "history"
        ]
        assert {int(r["_step"]): float(r["loss"]) for r in history} == losses
        assert float(history[0]["loss_per_level/2"]) == 0.5
        assert list((path.parent / "files" / "media" / "images").glob("samples_*.png"))


def test_trackio_keeps_a_run_that_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    track(tmp_path, "trackio", 0, 16)
    track(tmp_path, "trackio", 16, 24)
    known = json.loads((tmp_path / "trackers.json").read_text())["id"]
    (run,) = trackio.Api().runs("softdiffusion")
    assert run.name == f"{tmp_path.name}-{known}"
    assert run.config.items() >= CONFIG.items()
    logs = trackio.SQLiteStorage.get_logs("softdiffusion", run.name)
    assert {log["step"]: log["loss"] for log in logs if "loss" in log} == {8: 1, 16: 2, 24: 3}
    assert [log["step"] for log in logs if "samples" in log] == [16, 24]


def test_without_trackers_nothing_is_written(tmp_path):
    trackers = Trackers(tmp_path, [], CONFIG, 0)
    trackers.write(row(8))
    trackers.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["mlflow"], "no tracker 'mlflow'; choose among tensorboard, wandb, trackio"),
        (["tensorboard", "tensorboard"], "The tracker tensorboard is named twice"),
    ],
)
def test_a_name_that_is_none_is_refused(names, message):
    with pytest.raises(ValueError, match=message):
        check_trackers(names)


@pytest.mark.skipif(find_spec("trackio") is not None, reason="trackio is installed")
def test_a_missing_package_is_named_with_the_command_that_installs_it():
    with pytest.raises(ImportError, match="trackio can't be used .*; pip install -U trackio"):
        check_trackers(["trackio"])


def test_an_id_that_is_damaged_is_named(tmp_path):
    pytest.importorskip("wandb")
    (tmp_path / "trackers.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"trackers.json is damaged \(it has no id\); delete it"):
        Trackers(tmp_path, ["wandb"], CONFIG, 0)
