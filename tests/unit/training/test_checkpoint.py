"""Checkpoints know themselves: what is not whole, or of another run, is refused."""

import json
import math
import re
import resource
import shutil
from pathlib import Path

import pytest
import torch

import softdiffusion as sd
from softdiffusion.training.checkpoint import _fault
from tests.command import contents
from tests.registry import process
from tests.unit.training.test_train import IMAGES, Gain, rows, run

OPTIONS = {"times": "importance", "checkpoint_every": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run with a checkpoint after 16 images, which no test may change."""
    out = tmp_path_factory.mktemp("checkpoints") / "run"
    run(out, 16, prior=sd.GaussianPrior.fit(process(), IMAGES), **OPTIONS)
    return out


@pytest.fixture
def damaged(trained, tmp_path) -> Path:
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "run")


def newest(out: Path) -> Path:
    return max(out.glob("checkpoint-*"))


def refused(out: Path, images: int = 32, **options) -> str:
    """The sentence with which the run is refused; its remedy must work."""
    before = contents(out)
    with pytest.raises(ValueError, match=r"^The checkpoint .*; delete that folder to start") as e:
        run(out, images, **OPTIONS | options)
    assert contents(out) == before
    assert "\n" not in str(e.value)
    shutil.rmtree(newest(out))
    run(out, images, **OPTIONS | options)
    assert rows(out)[-1]["images"] == images
    return str(e.value)


def files(out: Path) -> list[str]:
    folder = newest(out)
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def test_every_bit_of_a_checkpoint_counts(trained, tmp_path):
    run_digest = json.loads((newest(trained) / "state.json").read_text())["run"]
    copy = shutil.copytree(newest(trained), tmp_path / newest(trained).name)
    assert _fault(copy, run_digest) is None
    generator = torch.Generator().manual_seed(0)
    for name in files(trained):
        file = copy / name
        whole = file.read_bytes()
        count = 400 if name == "state.json" else 20
        bits = torch.randperm(8 * len(whole), generator=generator)[:count].tolist()
        for bit in bits:
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            file.write_bytes(flipped)
            try:
                fault = _fault(copy, run_digest)
            except ValueError as error:
                fault = str(error)
            assert fault, f"bit {bit} of {name}"
        file.write_bytes(whole)
    assert _fault(copy, run_digest) is None


@pytest.mark.parametrize(
    "name", ["denoiser.safetensors", "optimizer.safetensors", "model/ema.safetensors"]
)
def test_a_file_of_another_checkpoint_is_refused(name, damaged, tmp_path):
    run(tmp_path / "other", 16, ema=0.5, learning_rate=0.1, **OPTIONS)
    shutil.copyfile(newest(tmp_path / "other") / name, newest(damaged) / name)
    assert f"{name} has changed since it was written" in refused(damaged)


@pytest.mark.parametrize("name", ["denoiser.safetensors", "model/config.json", "model"])
def test_a_missing_file_is_refused(name, damaged):
    gone = newest(damaged) / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert "is damaged (it has the files" in refused(damaged)


def test_the_checkpoint_of_another_run_is_refused(damaged, tmp_path):
    run(tmp_path / "other", 24, ema=0.5, **OPTIONS)
    shutil.copytree(newest(tmp_path / "other"), damaged / newest(tmp_path / "other").name)
    sentence = refused(damaged)
    assert "belongs to another training" in sentence
    assert "start again from checkpoint-000000000016" in sentence


@pytest.mark.parametrize(
    "count", [15, 17, -16, 0, 24, 1e300, "16", True, None, [16], 16.0, math.inf, math.nan, 10**30]
)
def test_a_count_that_can_not_be_is_refused(count, damaged):
    file = newest(damaged) / "state.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"images": count}))
    assert "is damaged (" in refused(damaged)


@pytest.mark.parametrize("images", [24, 17, 999_999_999_999])
def test_a_folder_of_another_name_is_refused(images, damaged):
    """Also one whose count is beyond the training, or no multiple of the batch."""
    newest(damaged).rename(damaged / f"checkpoint-{images:012d}")
    with pytest.raises(ValueError, match=r"is damaged|has seen 9+ images already"):
        run(damaged, 32, **OPTIONS)


def test_an_older_format_is_named(damaged):
    file = newest(damaged) / "state.json"
    file.write_text(json.dumps({"format": 1, "images": 16}))
    assert "has format 1, where this version reads format 2" in refused(damaged)


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint-best1",
        "checkpoint-16",
        "checkpoint-000000000016 (copy)",
        "checkpoint-999999999999x",
        "checkpoint-٠٠٠٠٠٠٠٠٠٠٩٩",
        "my-checkpoint-000000000099",
    ],
)
def test_folders_and_files_of_other_names_are_the_users(name, damaged, trained):
    shutil.copytree(newest(trained), damaged / name)
    (damaged / "checkpoint-999999999998").write_text("a note")
    before = contents(damaged / name)
    run(damaged, 40, **OPTIONS)
    assert contents(damaged / name) == before
    assert (damaged / "checkpoint-999999999998").read_text() == "a note"
    assert (damaged / "checkpoint-000000000040").is_dir()
    assert not (damaged / "checkpoint-000000000016").exists()


def test_what_a_kill_leaves_is_cleaned(damaged, trained):
    shutil.copytree(newest(trained), damaged / "checkpoint.draft")
    shutil.copytree(newest(trained), damaged / "checkpoint-000000000008")
    (damaged / "checkpoint-000000000008" / "state.json").unlink()
    run(damaged, 16, prior=sd.GaussianPrior.fit(process(), IMAGES), **OPTIONS)
    assert contents(damaged).keys() - {f for f in contents(damaged) if "tensorboard" in f} == {
        f for f in contents(trained) if "tensorboard" not in f
    }


def test_the_average_of_a_checkpoint_is_a_model(trained):
    denoiser, prior = sd.load(newest(trained) / "model", trust=["tests"])
    final, _ = sd.load(trained / "final", trust=["tests"])
    assert torch.equal(denoiser.backbone.weight, final.backbone.weight)
    assert prior is not None


@pytest.mark.filterwarnings("ignore:The learning rate was")
@pytest.mark.parametrize("good", [0, 40])
def test_after_diverging_a_lower_rate_goes_on_in_the_same_folder(good, tmp_path):
    """Whatever was saved on the way: of a state without a gradient nothing is kept."""
    net = sd.SmallUNet(1, 8, (1,))
    start = {name: value.clone() for name, value in net.state_dict().items()}
    options = {"checkpoint_every": 8, "batch_size": 8}
    if good:
        run(tmp_path, good, net, **options)
    for _ in range(2 if good else 1):  # the second begins where the first one saved
        with pytest.raises(ValueError, match="not finite after .* lower the learning rate"):
            run(tmp_path, 400, net, learning_rate=1e9, **options)
    net.load_state_dict(start)
    left = [path.name for path in tmp_path.glob("checkpoint-*")]
    assert left in ([], [f"checkpoint-{good:012d}"])
    run(tmp_path, good + 80, net, **options)
    assert rows(tmp_path)[-1]["images"] == good + 80


def test_a_changed_learning_rate_is_said(tmp_path):
    run(tmp_path, 16)
    with pytest.warns(UserWarning, match="rate was 0.001 up to 16 images, and is 0.0005 from here"):
        run(tmp_path, 24, learning_rate=5e-4)
    run(tmp_path, 32, learning_rate=5e-4)


class Steep(Gain):
    """A backbone that overflows wherever its weight leaves the neighbourhood of zero."""

    def forward(self, x, t):
        return x * torch.cosh(self.weight)


def test_a_last_step_that_diverges_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="average is not finite after 8 images; lower the learn"):
        run(tmp_path, 8, Steep(), learning_rate=1e9)
    assert not list(tmp_path.glob("checkpoint-*")) and not (tmp_path / "final").exists()


def test_a_limit_of_the_disk_ends_in_a_sentence_and_goes_on_later(tmp_path):
    """At every size of file at which something of the checkpoint can't be written."""
    whole, _ = run(tmp_path / "whole", 48, Gain(), **OPTIONS)
    run(tmp_path / "cut", 16, Gain(), **OPTIONS)
    kept = contents(newest(tmp_path / "cut"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (0, 100, 300, 500, 700):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises(OSError, match=r"can't be written \(.*\); make room") as error:
                run(tmp_path / "cut", 48, Gain(), **OPTIONS)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "\n" not in str(error.value)
        assert contents(newest(tmp_path / "cut")) == kept
        assert not re.search("draft", " ".join(path.name for path in tmp_path.rglob("*")))
    cut, _ = run(tmp_path / "cut", 48, Gain(), **OPTIONS)
    assert torch.equal(whole.backbone.weight, cut.backbone.weight)
