import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion import schedules

PROCESS = sd.SoftDiffusion(sd.GaussianBlur(), schedules.geometric((0.2, 3.0), (0.02, 0.2)))
X = torch.randn(2, 1, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
T = torch.tensor([0.1, 0.5], dtype=torch.float64)


class Weighted(nn.Module):
    """A backbone of one weight, one buffer, and dropout."""

    def __init__(self, weight: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight], dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, t):
        return self.dropout(self.weight * x)


def followed(weight: float = 0.0) -> sd.Denoiser:
    return sd.Denoiser(Weighted(weight), PROCESS)


def average(ema: sd.EMA) -> float:
    return ema.denoiser.backbone.weight.item()


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_the_average_is_the_sum_that_its_decays_make(decay):
    """Weights w_k at update k count (1 - d_k) times the product of all later decays."""
    denoiser = followed(3.0)
    ema = sd.EMA(denoiser, decay)
    weights = torch.randn(40, generator=torch.Generator().manual_seed(1)).double()
    for weight in weights:
        denoiser.backbone.weight.data.fill_(weight)
        ema.update(denoiser)
    k = torch.arange(40, dtype=torch.float64)
    decays = torch.minimum((1 + k) / (10 + k), torch.tensor(decay, dtype=torch.float64))
    later = torch.cat([decays, torch.ones(1, dtype=torch.float64)]).flip(0).cumprod(0).flip(0)
    expected = 3.0 * later[0] + ((1 - decays) * later[1:] * weights).sum()
    assert average(ema) == pytest.approx(expected.item(), rel=1e-12)
    assert int(ema.updates) == 40


def test_a_constant_is_its_own_average_and_a_new_one_is_approached_at_the_final_decay():
    denoiser = followed(2.0)
    ema = sd.EMA(denoiser, 0.9)
    for _ in range(100):
        ema.update(denoiser)
    assert average(ema) == pytest.approx(2.0, rel=1e-14)
    denoiser.backbone.weight.data.fill_(3.0)
    for _ in range(10):
        ema.update(denoiser)
    assert average(ema) == pytest.approx(3 - 0.9**10, rel=1e-12)


def test_the_followed_denoiser_is_never_changed():
    denoiser = followed(1.5)
    optimizer = torch.optim.SGD(denoiser.parameters(), lr=0.1)
    ema = sd.EMA(denoiser, 0.5)
    before = {name: value.clone() for name, value in denoiser.state_dict().items()}
    ema.update(denoiser)
    ema(X, T)
    assert denoiser.training and denoiser.backbone.weight.requires_grad
    assert all(torch.equal(before[n], v) for n, v in denoiser.state_dict().items())
    denoiser(X, T).sum().backward()
    optimizer.step()
    assert average(ema) == 1.5  # the copy shares no memory


def test_the_average_denoises_with_its_own_weights_and_without_dropout():
    denoiser = followed(1.0)
    ema = sd.EMA(denoiser, 0.5)
    denoiser.backbone.weight.data.fill_(2.0)
    ema.update(denoiser)
    assert torch.allclose(ema(X, T), (1 + average(ema)) * X)
    assert ema.process is PROCESS
    assert not any(parameter.requires_grad for parameter in ema.parameters())


def test_buffers_are_copied():
    denoiser = followed()
    ema = sd.EMA(denoiser)
    denoiser.backbone.count += 7
    ema.update(denoiser)
    assert int(ema.denoiser.backbone.count) == 7


def test_an_average_goes_on_after_it_was_saved():
    denoiser = followed(1.0)
    ema, restored = sd.EMA(denoiser, 0.9), sd.EMA(followed(5.0), 0.9)
    denoiser.backbone.weight.data.fill_(2.0)
    for _ in range(3):
        ema.update(denoiser)
    restored.load_state_dict(ema.state_dict())
    for one in (ema, restored):
        one.update(denoiser)
    assert average(ema) == average(restored)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match=r"decay must be in \[0, 1\)"):
        sd.EMA(followed(), decay)
