import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.operators import Diagonal

BLUR = sd.SoftDiffusion(sd.GaussianBlur(), schedules.geometric((0.2, 3.0), (0.05, 0.4)))
NOISELESS = sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 3), (0, 0)))
T = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, NOISE = normal(3, 2, 5, 4), normal(3, 2, 5, 4, seed=1)


def squared_frequencies(rows: int, columns: int) -> Tensor:
    omega_y = math.pi * torch.arange(rows, dtype=torch.float64) / rows
    omega_x = math.pi * torch.arange(columns, dtype=torch.float64) / columns
    return omega_y[:, None] ** 2 + omega_x**2


def test_perturb_corrupts_and_adds_noise():
    x_t = BLUR.perturb(X, T, NOISE)
    for i, t in enumerate(T.tolist()):
        severity, sigma = 0.2 * 15**t, 0.05 * 8**t
        expected = sd.GaussianBlur().at(severity)(X[i : i + 1])[0] + sigma * NOISE[i]
        assert torch.allclose(x_t[i], expected, rtol=1e-12, atol=1e-13)
        assert torch.allclose(BLUR.perturb(X, t, NOISE)[i], x_t[i], rtol=1e-12, atol=1e-13)


def test_perturb_is_the_marginal_that_the_formula_states():
    """Mean C_t x_0 and variance sigma_t^2 in every pixel: 20,000 draws, 5 standard errors."""
    n = 20000
    x_t = BLUR.perturb(X[:1].expand(n, -1, -1, -1), 0.6, normal(n, 2, 5, 4, seed=3))
    sigma = 0.05 * 8**0.6
    mean_error = (x_t.mean(0) - BLUR.operator(0.6)(X[:1])[0]).abs().max()
    assert mean_error <= 5 * sigma / n**0.5
    assert (x_t.var(0) / sigma**2 - 1).abs().max() <= 5 * (2 / n) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_dtype_of_the_images_is_kept(dtype):
    x_t = BLUR.perturb(X.to(dtype), T, NOISE.to(dtype))
    assert x_t.dtype == dtype
    error = (x_t.double() - BLUR.perturb(X, T, NOISE)).norm() / X.norm()
    assert error <= 4 * torch.finfo(dtype).eps
    for t in (T, 0.5):
        assert BLUR.score(x_t, t, x_t).dtype == dtype


def test_a_float_a_number_and_one_time_a_sample_agree():
    for t in (0, 1, 0.3):
        forms = [
            t,
            torch.tensor(float(t), dtype=torch.float64),
            torch.full((3,), t, dtype=torch.float64),
        ]
        a, b, c = (BLUR.perturb(X, form, NOISE) for form in forms)
        assert torch.allclose(a, b, rtol=1e-12) and torch.allclose(a, c, rtol=1e-12)


@pytest.mark.parametrize("t", [-0.01, 1.01, math.nan, torch.tensor([0.1, 1.5, 0.2])])
def test_times_outside_0_to_1_are_refused(t):
    for ask in (lambda: BLUR.perturb(X, t, NOISE), lambda: BLUR.sigma(t), lambda: BLUR.operator(t)):
        with pytest.raises(ValueError, match=r"time t must be in \[0, 1\], but is"):
            ask()


def test_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"images' shape \(3, 2, 5, 4\), but has \(1, 2, 5, 4\)"):
        BLUR.perturb(X, T, NOISE[:1])


def test_another_number_of_times_is_refused():
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images"):
        BLUR.perturb(X, torch.tensor([0.1, 0.2]), NOISE)


def test_a_schedule_beyond_the_largest_severity_is_refused():
    with pytest.raises(ValueError, match=r"severity of Scaling .* must be in \[0, 1\], but is 1.5"):
        sd.SoftDiffusion(sd.Scaling(), schedules.linear((0, 1.5), (0, 1)))


def test_the_score_is_the_distance_to_the_corrupted_prediction():
    x0_hat = normal(3, 2, 5, 4, seed=2)
    score = BLUR.score(X, T, x0_hat)
    for i, t in enumerate(T.tolist()):
        residual = sd.GaussianBlur().at(0.2 * 15**t)(x0_hat[i : i + 1])[0] - X[i]
        assert torch.allclose(score[i], residual / (0.05 * 8**t) ** 2, rtol=1e-11)


CORRUPTIONS = {
    "blur": (sd.GaussianBlur(), (0.2, 3.0)),
    "mask": (sd.FadingMask(), (0.1, 4.0)),
    "scaling": (sd.Scaling(), (0.0, 1.0)),
    "identity": (sd.Identity(), (0.0, 1.0)),
    "mask and scaling": (sd.Composition([sd.Scaling(), sd.FadingMask()], [0.8, 3.0]), (0.1, 1.0)),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
@given(st.floats(0, 1), st.integers(0, 100))
def test_the_score_of_the_gaussian_denoiser_is_the_gradient_of_the_log_density(name, t, seed):
    """In the transform, X_t is N(lambda_k m_k, lambda_k^2 v_k + sigma_t^2), independent by mode."""
    corruption, ends = CORRUPTIONS[name]
    process = sd.SoftDiffusion(corruption, schedules.linear(ends, (0.1, 0.5)))
    mean, spectrum = normal(2, 5, 4, seed=seed), normal(2, 5, 4, seed=seed + 1).square()
    x_t = normal(3, 2, 5, 4, seed=seed + 2).requires_grad_()
    transform = corruption.transform

    X_t = transform.forward(x_t)
    lam = transform.forward(process.operator(t)(transform.inverse(torch.ones_like(X_t))))
    centre = lam * transform.forward(mean[None])
    variance = lam**2 * spectrum + (0.1 + 0.4 * t) ** 2
    log_density = -((X_t - centre) ** 2 / variance + variance.log()).sum() / 2
    (gradient,) = torch.autograd.grad(log_density, x_t)

    denoiser = sd.GaussianDenoiser(process, mean, spectrum)
    score = process.score(
        x_t.detach(), t, denoiser(x_t.detach(), torch.tensor(t, dtype=torch.float64))
    )
    assert (score - gradient).norm() <= 1e-10 * gradient.norm()


def test_the_signal_to_noise_ratio_of_every_mode():
    spectrum = normal(2, 5, 4).square()
    ratio = BLUR.snr(T, spectrum)
    assert ratio.shape == (3, 2, 5, 4)
    for i, t in enumerate(T.tolist()):
        lam = torch.exp(-0.5 * (0.2 * 15**t) ** 2 * squared_frequencies(5, 4))
        assert torch.allclose(ratio[i], lam**2 * spectrum / (0.05 * 8**t) ** 2, rtol=1e-10)
    assert BLUR.snr(0.3, spectrum).shape == (1, 2, 5, 4)


@pytest.mark.parametrize("t", [0.0, 0.5, torch.tensor([0.2, 0.4, 0.6])])
def test_without_noise_there_is_no_score(t):
    for ask in (lambda: NOISELESS.score(X, t, X), lambda: NOISELESS.snr(t, X[0].square())):
        with pytest.raises(ValueError, match=r"no noise at this time \(sigma = 0\)"):
            ask()


def test_one_noiseless_time_among_others_is_refused():
    process = sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 3), (0, 1)))
    with pytest.raises(ValueError, match="no noise at this time"):
        process.score(X, torch.tensor([0.2, 0.0, 0.5]), X)
    process.score(X, torch.tensor([0.2, 0.1, 0.5]), X)


def test_without_a_transform_there_is_no_spectrum():
    process = sd.SoftDiffusion(
        sd.MatrixFamily(torch.ones(40, 40).triu()), schedules.linear((0, 1), (0.1, 1))
    )
    with pytest.raises(ValueError, match="MatrixFamily is not diagonal in a known transform"):
        process.snr(0.5, X[0].square())


def test_a_transition_has_both_ends():
    hop = BLUR.transition(T, T / 2)
    assert torch.equal(hop.sigma_t, BLUR.sigma(T)) and torch.equal(hop.sigma_s, BLUR.sigma(T / 2))
    assert torch.equal(hop.C_t(X), BLUR.operator(T)(X))
    assert torch.equal(hop.C_s(X), BLUR.operator(T / 2)(X))
    assert torch.allclose(hop.rho, 8 ** (-T / 2))
    assert not hop.keeps_noise
    step = hop.C_s - hop.rho * hop.C_t
    assert isinstance(step, Diagonal)
    expected = hop.C_s(X) - hop.rho[:, None, None, None] * hop.C_t(X)
    assert torch.allclose(step(X), expected, rtol=1e-12)


def test_no_hop_goes_to_a_later_time():
    for t in (0.5, torch.tensor([0.9, 0.5])):
        with pytest.raises(ValueError, match=r"A hop goes to an earlier time, .* it goes to 0.6"):
            BLUR.transition(t, torch.tensor(0.6, dtype=torch.float64))


def test_where_the_noise_stays_its_ratio_is_1():
    """Also where there is none at all."""
    assert NOISELESS.transition(0.8, 0.3).rho == 1 and NOISELESS.transition(0.8, 0.3).keeps_noise
    saturated = sd.SoftDiffusion(
        sd.GaussianBlur(), schedules.geometric((0.1, 3), (0.02, 0.2), sigma_saturation=0.25)
    )
    hop = saturated.transition(torch.tensor([0.2, 0.9]), torch.tensor([0.1, 0.5]))
    assert hop.rho[0] < 1 and hop.rho[1] == 1 and not hop.keeps_noise


def test_a_hop_to_no_noise_at_all():
    process = sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 3), (0, 1)))
    assert process.transition(0.5, 0.0).rho == 0


def test_images_of_8_bits_are_refused():
    """Their type has no room for the noise."""
    x0 = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    process = sd.SoftDiffusion(sd.GaussianBlur(), schedules.geometric((0.2, 3.0), (0.02, 0.2)))
    with pytest.raises(ValueError, match="but have the type torch.uint8; bring those of 8 bits"):
        process.perturb(x0, 0.5, torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize("t", [0.5, torch.tensor([0.2, 0.7], dtype=torch.float64)])
def test_doubles_stay_where_they_are(t):
    """Devices without doubles take them as factors alone; a tensor on "meta" stands for theirs."""
    process = sd.SoftDiffusion(sd.Scaling(), schedules.linear((0, 0.9), (0.1, 0.6)))
    x = torch.empty(2, 1, 4, 4, device="meta")
    for result in (process.perturb(x, t, x), process.score(x, t, x), process.snr(t, x[0])):
        assert result.device == x.device and result.dtype == torch.float32
