"""What a hard mask leaves untrained, as its docstring says."""

import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion import schedules

MASKS = [sd.GrowingBox(), sd.RandomPixels(), sd.Outpainting(["left"])]
STEPS = 5
T = torch.tensor([0.55, 0.8, 1.0], dtype=torch.float64)

every_mask = pytest.mark.parametrize("mask", MASKS, ids=lambda mask: type(mask).__name__)


def process(mask: sd.Corruption) -> sd.SoftDiffusion:
    return sd.SoftDiffusion(mask, schedules.linear((0.0, 1.0), (0.1, 0.2)))


def weight(mask: sd.Corruption, t: Tensor) -> Tensor:
    return process(mask).operator(t)(torch.ones(len(T), 1, 8, 8, dtype=torch.float64))


def reappearing(mask: sd.Corruption) -> Tensor:
    """The pixels that are gone at t and there, at least in part, one step before."""
    pixels = (weight(mask, T) == 0) & (weight(mask, T - 1 / STEPS) > 0)
    assert (pixels.flatten(1).sum(1) > 0).all()
    return pixels


def gradient(objective: sd.Objective, mask: sd.Corruption) -> Tensor:
    """The gradient of the loss with respect to the prediction."""
    x0, noise, x0_hat = torch.randn(
        3, len(T), 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    x0_hat.requires_grad_()
    objective(process(mask), lambda x_t, t: x0_hat, x0, T, noise).sum().backward()
    return x0_hat.grad


@every_mask
@pytest.mark.parametrize("objective", [sd.SoftScoreMatching("1"), sd.SoftScoreMatching()])
def test_the_soft_loss_never_trains_the_pixels_that_are_gone(mask, objective):
    slope = gradient(objective, mask)
    assert (slope[reappearing(mask)] == 0).all()
    assert (slope[weight(mask, T) > 0] != 0).all()


@every_mask
@pytest.mark.parametrize("objective", [sd.StepMatched(STEPS), sd.LookAhead(STEPS)])
def test_losses_that_see_the_next_level_train_the_pixels_that_reappear(mask, objective):
    assert (gradient(objective, mask)[reappearing(mask)] != 0).all()


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own derivatives
def test_the_limit_of_short_steps_is_blind_again():
    """At almost every time no pixel is just about to reappear."""
    mask = sd.RandomPixels()
    assert (gradient(sd.DriftMatched(), mask)[weight(mask, T) == 0] == 0).all()
