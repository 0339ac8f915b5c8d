import pytest
import torch

import softdiffusion as sd
from softdiffusion import schedules

NOISE_ONLY = sd.SoftDiffusion(sd.Identity(), schedules.geometric((1, 1), (0.01, 50.0)))
T = torch.tensor([0.0, 0.3, 0.7, 1.0], dtype=torch.float64)


def test_the_residual_leaves_everything_as_it_is():
    assert sd.Residual()(NOISE_ONLY, torch.zeros(4, 1, 2, 2), T) == (1, 1, 1)


def test_the_scaled_residual_predicts_noise_where_noise_is_the_only_corruption():
    x0, noise = torch.randn(2, 4, 1, 2, 2, generator=torch.Generator().manual_seed(0)).double()
    x_t = NOISE_ONLY.perturb(x0, T, noise)
    c_skip, c_out, c_in = sd.ScaledResidual()(NOISE_ONLY, x_t, T)
    torch.testing.assert_close(c_skip * x_t + c_out * noise, x0)
    assert c_in == 1


@pytest.mark.parametrize("data_std", [0.3, 1.0])
def test_input_and_target_have_unit_variance_for_white_data(data_std):
    """In closed form: x_t has the variance d^2 + sigma^2, the target (x_0 - c_skip x_t) / c_out
    the variance ((1 - c_skip)^2 d^2 + c_skip^2 sigma^2) / c_out^2.
    """
    c_skip, c_out, c_in = sd.EDM(data_std)(NOISE_ONLY, torch.zeros(4, 1, 2, 2).double(), T)
    sigma = NOISE_ONLY.sigma(T)[:, None, None, None]
    ones = torch.ones_like(sigma)
    assert torch.allclose(c_in**2 * (data_std**2 + sigma**2), ones, rtol=1e-12)
    target = (1 - c_skip) ** 2 * data_std**2 + c_skip**2 * sigma**2
    assert torch.allclose(target / c_out**2, ones, rtol=1e-10)


def test_the_skip_is_the_wiener_filter():
    """Of all skips it leaves the least to the network: c_out^2 is the posterior variance."""
    c_skip, c_out, _ = sd.EDM(0.5)(NOISE_ONLY, torch.zeros(4, 1, 2, 2).double(), T)
    sigma = NOISE_ONLY.sigma(T)[:, None, None, None]
    assert torch.allclose(c_skip, 0.25 / (0.25 + sigma**2), rtol=1e-12)
    assert torch.allclose(c_out**2, 1 / (1 / 0.25 + 1 / sigma**2), rtol=1e-12)


def test_the_variances_hold_on_white_images():
    """By 40,000 pixels a time, within 5 standard errors of a variance."""
    generator = torch.Generator().manual_seed(0)
    x0, noise = 0.5 * torch.randn(2, 4, 1, 200, 200, generator=generator, dtype=torch.float64)
    noise = 2 * noise
    x_t = NOISE_ONLY.perturb(x0, T, noise)
    c_skip, c_out, c_in = sd.EDM(0.5)(NOISE_ONLY, x_t, T)
    for unit in (c_in * x_t, (x0 - c_skip * x_t) / c_out):
        assert (unit.flatten(1).var(dim=1) - 1).abs().max() <= 5 * (2 / 40000) ** 0.5


def test_a_standard_deviation_that_is_not_positive_is_refused():
    for data_std in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="standard deviation must be > 0"):
            sd.EDM(data_std)
