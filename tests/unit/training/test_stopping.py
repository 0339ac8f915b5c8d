"""A signal ends a training without losing what it has learned."""

import signal
import threading

import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion.training import Stopped
from softdiffusion.training.stopping import StopSignals
from tests.registry import process
from tests.unit.training.test_train import Gain, go_on, rows, run

SIGNALS = [signal.SIGINT, signal.SIGTERM]


class Interrupted(Gain):
    """Gets signals at one of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.signals: tuple[int, ...] = ()

    def forward(self, x, t):
        self.left -= 1
        if self.left == 0:
            for signum in self.signals:
                signal.raise_signal(signum)
        return super().forward(x, t)


def interrupted(call: int, *signals: int) -> sd.Denoiser:
    backbone = Interrupted()
    backbone.left, backbone.signals = call, signals
    return sd.Denoiser(backbone, process())


@pytest.mark.parametrize("signum", SIGNALS)
@pytest.mark.parametrize("call", [1, 2, 5, 12])
def test_a_stopped_training_ends_as_one_that_never_stopped(signum, call, tmp_path):
    options = {"times": "importance", "log_every": 24, "checkpoint_every": 40}
    whole, average = go_on(interrupted(0), tmp_path / "whole", 96, **options)
    before = [signal.getsignal(s) for s in SIGNALS]
    with pytest.raises(Stopped, match="saved at [0-9]+ images; the same command goes on") as stop:
        go_on(interrupted(call, signum), tmp_path / "cut", 96, **options)
    assert stop.value.signum == signum
    assert isinstance(stop.value, KeyboardInterrupt)
    assert [signal.getsignal(s) for s in SIGNALS] == before
    (kept,) = (tmp_path / "cut").glob("checkpoint-*")
    assert kept.name == f"checkpoint-{8 * (call - 1):012d}"
    assert f"saved at {8 * (call - 1)} images" in str(stop.value)
    assert sd.load(kept / "model", trust=["tests"])  # it can be used at once
    denoiser = interrupted(0)
    end, end_average = go_on(denoiser, tmp_path / "cut", 96, **options)
    assert torch.equal(whole.backbone.weight, end.backbone.weight)
    assert torch.equal(average.backbone.weight, end_average.backbone.weight)
    losses = [
        [{**row, "images_per_second": 0} for row in rows(tmp_path / name)]
        for name in ("whole", "cut")
    ]
    assert losses[0] == losses[1]


def test_a_stop_that_comes_at_once_again_keeps_the_checkpoint(tmp_path):
    go_on(interrupted(0), tmp_path, 24)
    with pytest.raises(Stopped, match="saved at 24 images"):
        go_on(interrupted(1, signal.SIGTERM), tmp_path, 96)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-000000000024"]


@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_ends_at_once(second, tmp_path):
    before = [signal.getsignal(s) for s in SIGNALS]
    denoiser = interrupted(3, signal.SIGINT, second)
    with pytest.raises(Stopped, match="stopped at once") as stop:
        go_on(denoiser, tmp_path, 96)
    assert stop.value.signum == second
    assert not list(tmp_path.glob("checkpoint-*"))
    assert [signal.getsignal(s) for s in SIGNALS] == before


def test_what_a_launcher_passes_on_is_no_second_signal():
    with StopSignals(several=True) as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert stop.signum == signal.SIGINT


def test_a_signal_that_the_program_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as stop:
            signal.raise_signal(signal.SIGINT)
        assert stop.signum == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_training_in_another_thread_leaves_signals_alone(tmp_path):
    ended = []
    worker = threading.Thread(target=lambda: ended.append(run(tmp_path, 24)))
    worker.start()
    worker.join()
    assert len(ended) == 1


class Normed(nn.Module):
    """A backbone whose forward pass moves its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x, t):
        return self.norm(x)


def test_statistics_of_batches_are_those_of_the_checkpoint(tmp_path):
    whole, average = run(tmp_path / "whole", 96, Normed(), checkpoint_every=16)
    run(tmp_path / "parts", 40, Normed())
    parts, parts_average = run(tmp_path / "parts", 96, Normed())
    for one, other in ((whole, parts), (average, parts_average)):
        assert one.state_dict().keys() == other.state_dict().keys()
        assert all(
            value.equal(other.state_dict()[name]) for name, value in one.state_dict().items()
        )
