"""A batch in parts gives what the whole batch gives."""

import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion.objectives import Objective
from tests.registry import process
from tests.unit.training.test_train import rows, run


class Plain(nn.Module):
    """A convolution, without dropout, whose draws depend on the parts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x, t):
        return self.convolution(x)


class Idle(Objective):
    """Learns nothing."""

    def loss(self, process, error, t, noise):
        return 0 * error.flatten(1).sum(dim=1)


def test_the_parts_of_a_batch_give_the_gradient_of_the_whole(tmp_path):
    trained = {}
    for parts in (1, 4):
        out = tmp_path / f"{parts}"
        trained[parts] = run(out, 64, Plain(), accumulate=parts, times="importance")[1]
    for one, other in zip(trained[1].parameters(), trained[4].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    for one, other in zip(rows(tmp_path / "1"), rows(tmp_path / "4"), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-4)


def test_a_run_goes_on_in_other_parts(tmp_path):
    """As on a GPU that has less memory."""
    whole, _ = run(tmp_path / "whole", 64, Plain())
    run(tmp_path / "parts", 32, Plain(), accumulate=2)
    parts, _ = run(tmp_path / "parts", 64, Plain(), accumulate=8)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_parts_that_are_not_equal_are_refused(tmp_path):
    with pytest.raises(ValueError, match="8 images can't be gone through in 3 equal parts; set"):
        run(tmp_path, 8, accumulate=3)


def test_weights_decay_by_the_rate_as_adamw_says(tmp_path):
    """Of a gradient of zero the decay alone is left: w (1 - rate * decay) a step."""
    denoiser = sd.Denoiser(Plain(), process())
    before = [weight.detach().clone() for weight in denoiser.parameters()]
    options = sd.TrainingOptions(
        batch_size=8, warmup=0, learning_rate=0.1, weight_decay=0.5, log_every=8
    )
    data = torch.zeros(8, 1, 4, 4)
    sd.train(data, denoiser, Idle(), 24, out=tmp_path, options=options, progress=False)
    for weight, old in zip(denoiser.parameters(), before, strict=True):
        torch.testing.assert_close(weight.detach(), old * 0.95**3)
