import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion import schedules

PROCESS = sd.SoftDiffusion(sd.GaussianBlur(), schedules.geometric((0.2, 3.0), (0.02, 0.2)))
X = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
T = torch.tensor([0.1, 0.5, 0.9])


class Recorder(nn.Module):
    """A backbone that keeps what it was called with, and answers with a constant."""

    def forward(self, x, t):
        self.x, self.t = x, t
        return torch.full_like(x, 2.0)


def test_the_residual_adds_the_network_to_its_input():
    backbone = Recorder()
    assert torch.equal(sd.Denoiser(backbone, PROCESS)(X, T), X + 2)
    assert torch.equal(backbone.x, X) and torch.equal(backbone.t, T)


def test_the_preconditioning_scales_input_and_output():
    backbone = Recorder()
    edm = sd.EDM(0.7)
    c_skip, c_out, c_in = edm(PROCESS, X, T)
    found = sd.Denoiser(backbone, PROCESS, edm)(X, T)
    assert torch.allclose(found, c_skip * X + 2 * c_out)
    assert torch.equal(backbone.x, c_in * X)


def test_one_time_for_all_is_shown_to_every_sample():
    backbone = Recorder()
    sd.Denoiser(backbone, PROCESS)(X, torch.tensor(0.3, dtype=torch.float64))
    assert backbone.t.shape == (3,) and backbone.t.dtype == X.dtype


@pytest.mark.parametrize("preconditioning", [None, sd.EDM(0.7)])
def test_one_time_a_sample_equals_one_by_one(preconditioning):
    torch.manual_seed(0)
    network = sd.SmallUNet(channels=2, width=8, multipliers=(1, 2), dropout=0.5).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    denoiser = sd.Denoiser(network, PROCESS, preconditioning).eval()
    with torch.no_grad():
        together = denoiser(X.double(), T.double())
        for i in range(3):
            alone = denoiser(X[i : i + 1].double(), T[i].double())
            assert torch.allclose(alone[0], together[i], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(together[0] - together[1], (X[0] - X[1]).double(), atol=0.01)


def test_clipping_keeps_to_the_range_of_images():
    clipped = sd.ClippedDenoiser(sd.Denoiser(Recorder(), PROCESS), -0.5, 1.5)
    assert clipped.process is PROCESS
    assert torch.equal(clipped(X, T), (X + 2).clamp(-0.5, 1.5))
    assert clipped(X, T).max() == 1.5
    with pytest.raises(ValueError, match=r"range must be \(low, high\), but is \(1, -1\)"):
        sd.ClippedDenoiser(sd.Denoiser(Recorder(), PROCESS), 1, -1)


class Few(nn.Module):
    """A backbone that loses channels, which would broadcast unseen."""

    def forward(self, x, t):
        return x[:, :1]


def test_what_does_not_fit_the_images_is_refused():
    denoiser = sd.Denoiser(Recorder(), PROCESS)
    with pytest.raises(ValueError, match=r"The time t must be in \[0, 1\], but is 500"):
        denoiser(X, torch.tensor(500))
    with pytest.raises(ValueError, match="3 images need one time, or one each, but t holds 2"):
        denoiser(X, torch.tensor([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"\(3, 2, 5, 4\), but Few returned \(3, 1, 5, 4\)"):
        sd.Denoiser(Few(), PROCESS)(X, T)


@pytest.mark.parametrize("preconditioning", [sd.Residual(), sd.ScaledResidual(), sd.EDM()])
def test_half_precision_keeps_type_and_times(preconditioning):
    torch.manual_seed(0)
    network = sd.SmallUNet(channels=2, width=8, multipliers=(1, 2))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    t = torch.tensor(0.997)  # 0.99609375 in bfloat16
    with torch.no_grad():
        whole = sd.Denoiser(network, PROCESS, preconditioning)(X, t)
        half = sd.Denoiser(network.bfloat16(), PROCESS, preconditioning)(X.bfloat16(), t)
    assert half.dtype == torch.bfloat16
    error = (half.float() - whole).square().mean() / whole.square().mean()
    assert error.sqrt() < 0.05  # eight bits through some twenty layers
    recorder = Recorder()
    sd.Denoiser(recorder, PROCESS, preconditioning)(X.bfloat16(), t)
    assert recorder.x.dtype == torch.bfloat16 and recorder.t[0] == t
