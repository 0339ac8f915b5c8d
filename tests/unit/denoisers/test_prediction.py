"""What a network predicts, turned into the clean image: the right prediction gives it back."""

import pytest
import torch
from torch import Tensor, nn

import softdiffusion as sd
from softdiffusion import schedules


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Says(nn.Module):
    """Always predicts the same."""

    def __init__(self, prediction: Tensor) -> None:
        super().__init__()
        self.prediction = prediction

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.prediction


PROCESSES = {
    "VP": sd.SoftDiffusion(sd.Scaling(), schedules.vp()),
    "VE": sd.SoftDiffusion(sd.Identity(), schedules.geometric((0.1, 1.0), (0.01, 50.0))),
    "flow": sd.SoftDiffusion(sd.Scaling(), schedules.linear((0, 0.99), (0, 1))),
}
X0, ETA = normal(4, 2, 5, 3), normal(4, 2, 5, 3, seed=1)
T = torch.tensor([0.0, 0.1, 0.5, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize(
    ("preconditioning", "truth"),
    [
        (sd.CleanPrediction(), X0),
        (sd.NoisePrediction(), ETA),
        (sd.VelocityPrediction(), ETA - X0),
    ],
)
def test_the_truth_gives_the_image(name, preconditioning, truth):
    process = PROCESSES[name]
    denoiser = sd.Denoiser(Says(truth), process, preconditioning)
    # Rounding of x_t is divided by the amplitude, 0.0066 for VP at t = 1.
    torch.testing.assert_close(denoiser(process.perturb(X0, T, ETA), T), X0, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("preconditioning", [sd.NoisePrediction(), sd.VelocityPrediction()])
def test_more_than_a_scaling_is_refused(preconditioning):
    process = sd.SoftDiffusion(sd.GaussianBlur(), schedules.geometric((0.2, 3.0), (0.02, 0.2)))
    with pytest.raises(ValueError, match="GaussianBlur does more than scale the image"):
        sd.Denoiser(Says(X0), process, preconditioning)(X0, T)


def test_noise_alone_says_nothing():
    process = sd.SoftDiffusion(sd.Scaling(), schedules.linear((0, 1), (0, 1)))
    with pytest.raises(ValueError, match="From noise alone"):
        sd.Denoiser(Says(ETA), process, sd.NoisePrediction())(ETA, T)
    velocity = sd.Denoiser(Says(ETA - X0), process, sd.VelocityPrediction())
    torch.testing.assert_close(velocity(process.perturb(X0, T, ETA), T), X0)
