"""The averages that a training keeps, and those that are made of them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion.denoisers.power_ema import PowerEMA, check_lengths, gamma_of
from softdiffusion.training.averages import Averages, combine, fit, kept_in
from softdiffusion.training.checkpoint import Checkpoint, Checkpoints
from tests.command import contents
from tests.registry import process

#: Positions in images: steps of 8, kept every 64, until 640.
BATCH, EVERY, END = 8, 64, 640


class Walk(nn.Module):
    """A backbone whose weights go at random, as a pure function of the count of images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))
        self.register_buffer("images", torch.zeros(()))

    def step(self, images: int) -> None:
        generator = torch.Generator().manual_seed(images)
        with torch.no_grad():
            self.weight.add_(torch.randn(5, generator=generator))
        self.images.fill_(images)

    def forward(self, x, t):
        return self.weight.sum() * x


def walk(denoiser, averages, start: int = 0, end: int = END, also=()) -> list[torch.Tensor]:
    """Goes from one position to another, and returns the weights after every step."""
    path = []
    for images in range(start + BATCH, end + 1, BATCH):
        denoiser.backbone.step(images)
        path.append(denoiser.backbone.weight.detach().clone())
        averages.update(denoiser)
        for average in also:
            average.update(denoiser)
        if images % EVERY == 0:
            averages.keep(images)
    return path


def new() -> sd.Denoiser:
    return sd.Denoiser(Walk(), process())


@pytest.mark.parametrize("length", [0.04, 0.075, 0.15])
@pytest.mark.parametrize("images", [None, 320])
def test_an_average_of_another_length_is_that_of_a_training_with_it(length, images, tmp_path):
    denoiser = new()
    tracked = PowerEMA(denoiser, length)
    end = images or END
    path = walk(denoiser, Averages(denoiser, (0.05, 0.1), tmp_path), end=end, also=[tracked])
    if images:  # the training goes on, and does not matter
        (later := Averages(denoiser, (0.05, 0.1), tmp_path)).update(denoiser)
        later.keep(END)
    kept = kept_in(tmp_path, images)
    weights, residual = fit(kept, length, end)
    made = new()
    combine(tmp_path, made, kept, weights)
    # Cauchy and Schwarz, and the rounding of what was kept in single precision.
    gamma = gamma_of(length)
    norm = (gamma + 1) / math.sqrt((2 * gamma + 1) * len(path))
    path = torch.stack(path).double()
    spread = (path - path.mean(dim=0)).square().sum(dim=0).sqrt()
    rounding = 2**-23 * len(path) * np.abs(weights).sum() * path.abs().max()
    error = (made.backbone.weight - tracked.denoiser.backbone.weight).double().abs()
    assert (error <= residual * norm * spread + rounding).all()
    assert made.backbone.images == end


def test_a_training_that_goes_on_keeps_the_same_averages_bit_for_bit(tmp_path):
    denoiser = new()
    walk(denoiser, Averages(denoiser, (0.05, 0.1), tmp_path / "whole"))

    def state(denoiser, averages):
        optimizer = torch.optim.Adam(denoiser.parameters())
        return Checkpoint(denoiser, sd.EMA(denoiser), optimizer, averages.tensors)

    run = tmp_path / "parts"
    denoiser = new()
    averages = Averages(denoiser, (0.05, 0.1), run)
    walk(denoiser, averages, end=200)
    Checkpoints(run, "").save(state(denoiser, averages), 200)
    walk(denoiser, averages, 200, 300)  # and was killed here
    denoiser = new()
    averages = Averages(denoiser, (0.05, 0.1), run)
    start = Checkpoints(run, "").restore(state(denoiser, averages))
    averages.tidy(start)
    assert max(count for _, count in kept_in(run)) == 192
    walk(denoiser, averages, start)
    assert contents(run / "averages") == contents(tmp_path / "whole" / "averages")


def test_without_lengths_nothing_is_kept(tmp_path):
    denoiser = new()
    averages = Averages(denoiser, (), tmp_path)
    walk(denoiser, averages)
    assert averages.tensors == {} and not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="kept no averages .* train with --ema_lengths 0.05 0.1"):
        kept_in(tmp_path)


def test_what_can_not_be_made_is_refused_and_the_nearest_works(tmp_path):
    denoiser = new()
    walk(denoiser, Averages(denoiser, (0.05, 0.1), tmp_path))
    with pytest.raises(ValueError, match="first averages in .* after 64 images, so .* after 63"):
        kept_in(tmp_path, 63)
    kept = kept_in(tmp_path)
    with pytest.raises(ValueError, match="length 0.01 after 640 images can't be made") as refused:
        fit(kept, 0.01, END)
    nearest = float(str(refused.value).partition("ask for ")[2].partition(",")[0])
    assert 0.01 < nearest < 0.05
    assert fit(kept, nearest, END)[1] <= 0.1 < 0.12
    with pytest.raises(ValueError, match="ask for another count of images"):
        fit(kept[:2], 0.1, 10 * END)


def test_files_of_another_network_are_refused(tmp_path):
    denoiser = new()
    walk(denoiser, Averages(denoiser, (0.05, 0.1), tmp_path))
    kept = kept_in(tmp_path)
    torch.manual_seed(0)
    other = sd.Denoiser(sd.SmallUNet(1, width=8, multipliers=(1,)), process())
    with pytest.raises(ValueError, match="belongs to another network than the model in"):
        combine(tmp_path, other, kept, np.ones(len(kept)))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [((0.3,), "must be in .*0.001, 0.2887"), ((0.1, 0.1), "0.1 of an average is there twice")],
)
def test_lengths_that_no_averages_have_are_refused(lengths, message):
    with pytest.raises(ValueError, match=message):
        check_lengths(lengths)


def test_an_average_that_is_not_finite_is_not_kept(tmp_path: Path):
    denoiser = new()
    averages = Averages(denoiser, (0.1,), tmp_path)
    with torch.no_grad():
        denoiser.backbone.weight.fill_(torch.nan)
    averages.update(denoiser)
    with pytest.raises(ValueError, match="backbone.weight is not finite after 8 images; lower"):
        averages.keep(8)
    assert not list(tmp_path.iterdir())
