"""What a training keeps and shows beside its weights, on a network of one weight."""

import json
from pathlib import Path

import pytest
import torch

import softdiffusion as sd
from softdiffusion.training.averages import kept_in
from tests.command import contents, needs_processor
from tests.registry import process
from tests.unit.training.test_train import IMAGES, Gain

HELD_OUT = torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1


def run(out: Path, images: int, **settings) -> sd.BaseDenoiser:
    options = sd.TrainingOptions(
        batch_size=8,
        warmup=0,
        log_every=16,
        checkpoint_every=32,
        validate_every=24,
        ema_lengths=(0.05, 0.1),
        ema_every=16,
        **settings,
    )
    return sd.train(
        IMAGES,
        sd.Denoiser(Gain(), process()),
        sd.StepMatched(10, soft_share=0.1),
        images,
        out=out,
        options=options,
        held_out=HELD_OUT,
        progress=False,
    )


def rows(out: Path) -> list[dict]:
    read = [json.loads(line) for line in (out / "stats.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in read]


@needs_processor
def test_averages_and_held_out_losses_are_those_of_a_training_that_never_stopped(tmp_path):
    run(tmp_path / "whole", 96)
    for images in (40, 72, 96):
        run(tmp_path / "parts", images)
    whole = contents(tmp_path / "whole" / "averages")
    parts = contents(tmp_path / "parts" / "averages")
    assert whole.items() <= parts.items()  # the ends of the parts were kept, too
    assert [at for length, at in kept_in(tmp_path / "whole") if length == 0.05] == [
        16,
        32,
        48,
        64,
        80,
        96,
    ]
    losses = {
        row["images"]: row["validation_loss"]
        for row in rows(tmp_path / "whole")
        if "validation_loss" in row
    }
    assert losses.keys() == {24, 48, 72, 96}
    again = {
        row["images"]: row["validation_loss"]
        for row in rows(tmp_path / "parts")
        if "validation_loss" in row
    }
    assert again == losses


def test_trackers_show_what_the_rows_say(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for images in (40, 96):
        run(tmp_path, images, track=("tensorboard",))
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name in ("loss", "validation_loss", "gradient_norm", "learning_rate"):
        shown = {event.step: event.value for event in events.Scalars(name)}
        written = {row["images"]: row[name] for row in rows(tmp_path) if name in row}
        assert shown == pytest.approx(written, rel=1e-6)  # TensorBoard keeps single precision


def test_a_training_begins_from_a_model(tmp_path):
    denoiser = sd.Denoiser(sd.SmallUNet(1, width=8, multipliers=(1,)), process())
    sd.save(tmp_path / "model", denoiser)
    other = sd.Denoiser(sd.SmallUNet(1, width=8, multipliers=(1,)), sd.presets.vp().process)
    options = sd.TrainingOptions(batch_size=8, learning_rate=1e-9)
    sd.train(
        IMAGES,
        other,
        sd.CleanRegression(),
        8,
        out=tmp_path / "run",
        options=options,
        init=tmp_path / "model",
        progress=False,
    )
    for mine, theirs in zip(other.parameters(), denoiser.parameters(), strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, rtol=0, atol=1e-8)
    sd.save(tmp_path / "model", other)
    with pytest.raises(ValueError, match="another configuration of init"):
        sd.train(
            IMAGES,
            other,
            sd.CleanRegression(),
            16,
            out=tmp_path / "run",
            options=options,
            init=tmp_path / "model",
            progress=False,
        )
