"""The loop of the training, on a network of one weight where that is enough."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import softdiffusion as sd
from softdiffusion.data import ArrayImages
from tests.command import contents
from tests.registry import process

IMAGES = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1


class Gain(nn.Module):
    """A backbone of one weight, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.1]))
        self.dropout = nn.Dropout(0.2)

    def forward(self, x, t):
        return self.weight * self.dropout(x)


def run(out: Path, images: int, backbone: nn.Module | None = None, prior=None, **options):
    return go_on(sd.Denoiser(backbone or Gain(), process()), out, images, prior, **options)


def go_on(denoiser: sd.BaseDenoiser, out: Path, images: int, prior=None, **options):
    settings = sd.TrainingOptions(**{"batch_size": 8, "warmup": 0, "log_every": 8} | options)
    trained = sd.train(
        IMAGES,
        denoiser,
        sd.StepMatched(10, soft_share=0.1),
        images,
        out=out,
        prior=prior,
        options=settings,
        progress=False,
    )
    return denoiser, trained


def rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "stats.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("times", ["stratified", "importance"])
def test_a_longer_training_goes_on_where_the_shorter_one_ended(times, tmp_path):
    whole, whole_average = run(tmp_path / "whole", 96, times=times)
    run(tmp_path / "parts", 40, times=times)
    parts, parts_average = run(tmp_path / "parts", 96, times=times)
    assert torch.equal(whole.backbone.weight, parts.backbone.weight)
    assert torch.equal(whole_average.backbone.weight, parts_average.backbone.weight)
    assert [row["loss"] for row in rows(tmp_path / "whole")] == [
        row["loss"] for row in rows(tmp_path / "parts")
    ]


def test_a_folder_in_which_another_process_trains_is_refused(tmp_path):
    run(tmp_path, 8)
    before = contents(tmp_path)
    with (
        FileLock(tmp_path / "training.lock"),
        pytest.raises(ValueError, match="Another process trains in .* choose another folder"),
    ):
        run(tmp_path, 16)
    assert contents(tmp_path) == before
    run(tmp_path, 16)
    assert rows(tmp_path)[-1]["images"] == 16


def test_images_are_rounded_up_to_whole_batches(tmp_path):
    """So that a longer training sees none of them twice."""
    whole, _ = run(tmp_path / "whole", 96)
    run(tmp_path / "parts", 35)
    assert [row["images"] for row in rows(tmp_path / "parts")] == [8, 16, 24, 32, 40]
    again, _ = run(tmp_path / "parts", 35)
    parts, _ = run(tmp_path / "parts", 96)
    assert torch.equal(whole.backbone.weight, parts.backbone.weight)
    assert not torch.equal(again.backbone.weight, parts.backbone.weight)


class Cliff(torch.autograd.Function):
    """Finite, with a gradient that is not."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * math.nan


class Steep(Gain):
    """Steps over the cliff at its third call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x, t):
        self.calls += 1
        return super().forward(x, t) if self.calls < 3 else Cliff.apply(super().forward(x, t))


def test_a_gradient_that_is_not_finite_ends_the_training_before_it_is_taken(tmp_path):
    """What is kept is the last state that has a gradient: from there a training can go on."""
    denoiser = sd.Denoiser(Steep(), process())
    with pytest.raises(ValueError, match="gradient of the loss is not finite after 16 images"):
        go_on(denoiser, tmp_path, 40, checkpoint_every=8)
    (kept,) = tmp_path.glob("checkpoint-*")
    assert kept.name == "checkpoint-000000000008"
    assert load_file(kept / "denoiser.safetensors")["backbone.weight"].isfinite().all()
    assert denoiser.backbone.weight.isfinite().all()


class Twice(nn.Module):
    """Two names for one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Gain(), Gain()
        self.second.weight = self.first.weight

    def forward(self, x, t):
        return self.first(x, t) + self.second(x, t)


def test_a_network_with_tied_weights_goes_on(tmp_path):
    whole, _ = run(tmp_path / "whole", 48, Twice())
    run(tmp_path / "parts", 24, Twice())
    parts, _ = run(tmp_path / "parts", 48, Twice())
    assert torch.equal(whole.backbone.first.weight, parts.backbone.second.weight)


def test_fewer_images_than_were_seen_are_refused(tmp_path):
    run(tmp_path, 40)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="has seen 40 images already, more than 24; ask for as"):
        run(tmp_path, 24)
    assert contents(tmp_path) == before


def test_the_average_is_returned_and_saved(tmp_path):
    denoiser, average = run(tmp_path, 96, sd.SmallUNet(1, 8, (1,)), ema=0.9)
    saved, _ = sd.load(tmp_path / "final")
    for name, weight in average.state_dict().items():
        assert torch.equal(saved.state_dict()[name], weight.cpu())
    assert not torch.equal(average.backbone.last[-1].weight, denoiser.backbone.last[-1].weight)


class Listener(nn.Module):
    """A backbone of two classes that keeps what it is told."""

    classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.1]))
        self.heard: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, x, t, labels=None):
        self.heard.append((x.detach().mean(dim=(1, 2, 3)), labels))
        return self.weight * x


def test_every_image_comes_with_its_class_and_some_without(tmp_path):
    labels = torch.arange(24) % 2
    bright = (2.0 * labels - 1)[:, None, None, None].expand(24, 1, 4, 4) * 0.9
    backbone = Listener()
    sd.train(
        ArrayImages("black and white", bright.contiguous(), labels),
        sd.Denoiser(backbone, process()),
        sd.CleanRegression(),
        2000,
        out=tmp_path,
        options=sd.TrainingOptions(batch_size=100, label_dropout=0.3),
        progress=False,
    )
    means, told = (torch.cat(parts) for parts in zip(*backbone.heard, strict=True))
    # Noise of 0.2 over 16 pixels moves a mean of 0.9 by 0.05.
    assert torch.equal(told[told >= 0], (means > 0).long()[told >= 0])
    # Four standard errors of a share of 0.3 in 2,000.
    assert abs(float((told == -1).double().mean()) - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5


def test_the_learning_rate_rises_and_falls_in_straight_lines(tmp_path):
    run(tmp_path, 80, warmup=32, decay=40, learning_rate=0.5)
    rates = [row["learning_rate"] for row in rows(tmp_path)]
    assert rates == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1])


def test_a_large_gradient_is_scaled_down(tmp_path):
    """Adam's second moment remembers the gradient that it was given."""
    run(tmp_path, 8, clip=1e-3, checkpoint_every=8)
    assert rows(tmp_path)[0]["gradient_norm"] > 1e-3
    (file,) = tmp_path.glob("checkpoint-*/optimizer.safetensors")
    seen = load_file(file)["0.exp_avg_sq"].item()
    assert math.sqrt(seen / (1 - 0.999)) == pytest.approx(1e-3, rel=1e-2)


def test_mixed_precision_rounds_what_the_network_computes_and_not_its_weights(tmp_path):
    losses = {}
    for precision in ("no", "bf16"):  # one after the other in one process
        torch.manual_seed(0)
        out = tmp_path / precision
        denoiser, average = run(out, 32, sd.SmallUNet(1, 8, (1,)), precision=precision)
        for model in (denoiser, average):
            assert all(p.dtype == torch.float32 for p in model.parameters())
        losses[precision] = rows(out)[-1]["loss"]
    assert losses["no"] != losses["bf16"]
    assert losses["no"] == pytest.approx(losses["bf16"], rel=0.05)


class Precise(Gain):
    """Keeps whether it ran under autocast."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bool] = []

    def forward(self, x, t):
        self.heard.append(torch.is_autocast_enabled(x.device.type))
        return super().forward(x, t)


def test_the_precision_is_that_of_each_training_of_the_same_denoiser(tmp_path):
    denoiser = sd.Denoiser(Precise(), process())
    for place, precision in enumerate(("no", "bf16", "no")):
        go_on(denoiser, tmp_path / str(place), 8, precision=precision)
    denoiser.cpu()(IMAGES, torch.tensor(0.5))
    assert denoiser.backbone.heard == [False, True, False, False]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has half precision")
def test_a_precision_that_would_be_ignored_is_refused(tmp_path):
    with pytest.raises(ValueError, match="precision fp16 can't be had on cpu; use no"):
        run(tmp_path / "new", 8, precision="fp16")
    assert not (tmp_path / "new").exists()


def test_grids_are_drawn_while_training(tmp_path):
    prior = sd.GaussianPrior.fit(process(), IMAGES)
    run(tmp_path, 24, prior=prior, sample_every=16)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["000000016.png"]
    with Image.open(tmp_path / "samples" / "000000016.png") as grid:
        assert min(grid.size) >= 4 * 4


def test_grids_need_a_start(tmp_path):
    with pytest.raises(ValueError, match="Sample grids every 16 images need a start"):
        run(tmp_path / "new", 24, sample_every=16)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, but is 0"),
        ({"times": "importence"}, "times must be one of stratified, importance, but is 'importen"),
        ({"precision": "half"}, "precision must be one of no, bf16, fp16, but is 'half'"),
        ({"log_every": 0}, "log_every must be at least 1, but is 0"),
        ({"checkpoint_every": -1}, "checkpoint_every must be at least 1, but is -1"),
        ({"warmup": -1}, "warmup must be >= 0, but is -1"),
        ({"decay": -1}, "decay must be >= 0, but is -1"),
        ({"sample_every": -1}, "sample_every must be >= 0, but is -1"),
        ({"learning_rate": math.nan}, "learning_rate must be finite and > 0, but is nan"),
        ({"clip": 0.0}, "clip must be finite and > 0, but is 0"),
        ({"ema": 1.0}, r"ema, a decay, must be in \[0, 1\), but is 1"),
        ({"label_dropout": 1.5}, r"label_dropout must be in \[0, 1\], but is 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sd.TrainingOptions(**options)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"data": None}, "data of train must be a tensor, .* but is None"),
        (
            {"data": torch.utils.data.TensorDataset(torch.zeros(1))},
            "item 0 of data must be of shape .C, H, W., but",
        ),
        ({"denoiser": "net"}, "denoiser of train must be a BaseDenoiser, but is 'net'"),
        ({"objective": None}, "objective of train must be an Objective, but is None"),
        ({"images": 64.5}, "images of train must be a whole number, but is 64.5"),
        ({"options": {"ema": 0.9}}, "options of train must be a TrainingOptions or None"),
        ({"out": None}, "out of train must be a text or a Path, but is None"),
        ({"out": ""}, "path must be that of a folder, but is ''"),
    ],
)
def test_an_argument_of_another_kind_is_named(wrong, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where an empty path would lead
    denoiser = sd.Denoiser(Gain(), process())
    arguments = {"data": IMAGES, "denoiser": denoiser, "objective": sd.StepMatched(10), "images": 8}
    with pytest.raises((TypeError, ValueError), match=message):
        sd.train(**arguments | {"out": tmp_path / "run"} | wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["float32", "uint8", "pillow"])
def test_arrays_and_pictures_are_trained_on(kind, tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (8, 1, 8, 8), dtype=np.uint8)
    data = {
        "float32": levels.astype(np.float32) / np.float32(127.5) - 1,
        "uint8": levels,
        "pillow": [Image.fromarray(picture[0]) for picture in levels],
    }[kind]
    denoiser = sd.Denoiser(Gain(), process())
    sd.train(data, denoiser, sd.StepMatched(10), 8, out=tmp_path, progress=False)
    claimed = json.loads((tmp_path / "training.json").read_text())
    assert claimed["data"] == ArrayImages("data", torch.from_numpy(levels)).digest()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # by the compiler
def test_a_compiled_training_is_the_plain_one_and_goes_on_as_such(tmp_path):
    """To rounding, under the same names."""

    def network():
        torch.manual_seed(0)
        return sd.SmallUNet(1, 8, (1,), attention=False)

    plain, plain_average = run(tmp_path / "plain", 48, network())
    run(tmp_path / "both", 24, network(), compile=True)
    both, average = run(tmp_path / "both", 48, network())
    for one, other in ((plain, both), (plain_average, average)):
        assert one.state_dict().keys() == other.state_dict().keys()
        for name, weight in one.state_dict().items():
            torch.testing.assert_close(weight, other.state_dict()[name], rtol=1e-3, atol=1e-4)
