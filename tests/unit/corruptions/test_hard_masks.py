"""What a hard mask leaves untrained, as its docstring says."""

import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion import schedules

MASKS = [sd.GrowingBox(), sd.RandomPixels(), sd.Outpainting(["left"])]
STEPS = 5
T = torch.tensor([0.4, 0.7, 1.0], dtype=torch.float64)

every_mask = pytest.mark.parametrize("mask", MASKS, ids=lambda mask: type(mask).__name__)


def process(mask: sd.Corruption) -> sd.SoftDiffusion:
    return sd.SoftDiffusion(mask, schedules.linear((0.0, 1.0), (0.1, 0.2)))


def kept(mask: sd.Corruption, t: Tensor) -> Tensor:
    ones = torch.ones(len(T), 1, 8, 8, dtype=torch.float64)
    return process(mask).operator(t)(ones) == 1


def gradient(objective: sd.Objective, mask: sd.Corruption) -> Tensor:
    """The gradient of the loss with respect to the prediction."""
    x0, noise, x0_hat = torch.randn(
        3, len(T), 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    x0_hat.requires_grad_()
    objective(process(mask), lambda x_t, t: x0_hat, x0, T, noise).sum().backward()
    return x0_hat.grad


@every_mask
@pytest.mark.parametrize("weight", ["1", "1/sigma^2"])
def test_the_soft_loss_never_trains_the_pixels_that_are_gone(mask, weight):
    reappearing = kept(mask, T - 1 / STEPS) & ~kept(mask, T)
    assert (reappearing.flatten(1).sum(1) > 0).all()
    slope = gradient(sd.SoftScoreMatching(weight), mask)
    assert (slope[reappearing] == 0).all()
    assert (slope[kept(mask, T)] != 0).all()


@every_mask
@pytest.mark.parametrize("objective", [sd.StepMatched(STEPS), sd.LookAhead(STEPS)])
def test_losses_that_see_the_next_level_train_the_pixels_that_reappear(mask, objective):
    reappearing = kept(mask, T - 1 / STEPS) & ~kept(mask, T)
    assert (gradient(objective, mask)[reappearing] != 0).all()


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own derivatives
@every_mask
def test_a_drift_of_steps_is_zero_almost_everywhere(mask):
    """The limit of short steps is blind again: at almost every time no pixel is about to appear."""
    slope = gradient(sd.DriftMatched(), mask)
    assert (slope[~kept(mask, T)] == 0).all()
