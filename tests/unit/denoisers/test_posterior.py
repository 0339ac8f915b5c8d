import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.operators import DCT, Diagonal, LinearOperator, Matrix, Pixel, Scale

SHAPE = (1, 4, 5)
N = 20
SIGMA_Y = 0.3


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_mask(z: Tensor) -> Tensor:
    return (normal(1, *z.shape[1:], seed=9) > 0).to(z)


#: Operators that have nothing to do with the process, the last one to another shape.
OPERATORS: dict[str, LinearOperator] = {
    "blur": sd.GaussianBlur().at(0.8),
    "mask": Diagonal(Pixel(), random_mask),
    "low-pass": Diagonal(DCT(), random_mask),
    "projection": Matrix(normal(8, N, seed=8) / N**0.5, SHAPE, (2, 4)),
}
PROCESSES = {
    "blur": sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 4), (0.1, 0.6))),
    "mask": sd.SoftDiffusion(sd.FadingMask(), schedules.linear((0, 4), (0.1, 0.6))),
    "scaling": sd.SoftDiffusion(sd.Scaling(), schedules.linear((0, 1), (0.1, 1))),
}


def gaussian(name: str, seed: int) -> sd.GaussianDenoiser:
    spectrum = normal(*SHAPE, seed=seed + 1).square()
    return sd.GaussianDenoiser(PROCESSES[name], normal(*SHAPE, seed=seed), spectrum)


def covariance(linear: sd.GaussianDenoiser) -> Tensor:
    basis = linear.transform.inverse(torch.eye(N, dtype=torch.float64).reshape(N, *SHAPE))
    basis = basis.flatten(1).T
    return basis * linear.spectrum.flatten() @ basis.T


@pytest.mark.parametrize("measurement", OPERATORS)
@pytest.mark.parametrize("name", PROCESSES)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_it_is_the_mean_given_both_by_explicit_linear_algebra(name, measurement, t, seed):
    """x_t and y stacked into one observation of x_0, with dense matrices."""
    linear, A = gaussian(name, seed), OPERATORS[measurement]
    m, V = linear.mean.flatten(), covariance(linear)
    C, M = linear.process.operator(t).to_matrix(SHAPE)[0], A.to_matrix(SHAPE)[0]
    x_t = normal(3, *SHAPE, seed=seed + 2)
    y = A(normal(3, *SHAPE, seed=seed + 3))
    both = torch.cat([C, M])
    noise = torch.cat([linear.process.sigma(t).expand(N), torch.full((len(M),), SIGMA_Y)])
    observed = both @ V @ both.T + torch.diag(noise.double() ** 2)
    seen = torch.cat([x_t.flatten(1), y.flatten(1)], dim=1)
    expected = m + (seen - both @ m) @ torch.linalg.solve(observed, both @ V)

    found = sd.PosteriorDenoiser(linear, A, y, SIGMA_Y, linear.spectrum)(x_t, torch.tensor(t))
    # The solver stops at 1e-5 of its right side b, and |K^-1| <= 1 / sigma_y^2.
    b = (y - A(linear(x_t, torch.tensor(t)))).norm()
    bound = 1e-5 * b * torch.linalg.matrix_norm(V @ M.T, 2) / SIGMA_Y**2
    assert (found.flatten(1) - expected).norm() <= bound + 1e-6 * expected.norm()


def test_its_covariance_is_that_of_gaussian_data_given_x_t():
    linear = gaussian("blur", 3)
    wrapped = sd.PosteriorDenoiser(
        linear, OPERATORS["mask"], normal(1, *SHAPE), 0.1, linear.spectrum
    )
    V, C = covariance(linear), linear.process.operator(0.4).to_matrix(SHAPE)[0]
    observed = C @ V @ C.T + linear.process.sigma(0.4) ** 2 * torch.eye(N, dtype=torch.float64)
    expected = V - V @ C.T @ torch.linalg.solve(observed, C @ V)
    found = wrapped.covariance(torch.tensor(0.4, dtype=torch.float64)).to_matrix(SHAPE)[0]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


def test_without_noise_the_prediction_explains_the_measurement():
    linear, A = gaussian("blur", 1), OPERATORS["projection"]
    y = A(normal(3, *SHAPE, seed=5))
    for wrapped in (
        sd.PosteriorDenoiser(linear, A, y, 0.0, linear.spectrum),
        sd.PosteriorDenoiser(linear, A, y[:1], 0.0, linear.spectrum),
    ):
        x0_hat = wrapped(normal(3, *SHAPE, seed=6), torch.tensor(0.5))
        assert (A(x0_hat) - wrapped.y).norm() <= 1e-4 * y.norm()


def test_dps_moves_along_the_covariance_that_the_jacobian_shows():
    """For exact denoisers it is s_t^2 C^T (C C^T + s_t^2 I)^-1 J^T, here with dense matrices."""
    linear, A = gaussian("blur", 2), OPERATORS["projection"]
    t = torch.tensor(0.3, dtype=torch.float64)
    x_t, y = normal(3, *SHAPE, seed=3), A(normal(3, *SHAPE, seed=4))
    x0_hat = linear(x_t, t)
    r = (y - A(x0_hat)).flatten(1)
    J = linear(torch.eye(N, dtype=torch.float64).reshape(N, *SHAPE), t).flatten(1)
    J = (J - linear(torch.zeros(1, *SHAPE, dtype=torch.float64), t).flatten(1)).T
    C, M = linear.process.operator(t).to_matrix(SHAPE)[0], A.to_matrix(SHAPE)[0]
    variance = linear.process.sigma(t) ** 2
    inverse = torch.linalg.inv(C @ C.T + variance * torch.eye(N, dtype=torch.float64))
    d = r @ (variance * C.T @ inverse @ J.T @ M.T).T
    q = d @ M.T + SIGMA_Y**2 * r
    for step in (0.5, 1.0):
        length = step * ((r * q).sum(1) / (q * q).sum(1))[:, None]
        found = sd.DPSDenoiser(linear, A, y, SIGMA_Y, step)(x_t, t)
        torch.testing.assert_close((found - x0_hat).flatten(1), length * d)


@pytest.mark.parametrize("measurement", OPERATORS)
@given(st.floats(0.05, 1), st.integers(0, 1000))
def test_dps_shrinks_the_residual(measurement, t, seed):
    linear, A = gaussian("blur", seed), OPERATORS[measurement]
    x_t, y = normal(3, *SHAPE, seed=seed + 2), A(normal(3, *SHAPE, seed=seed + 3))
    time = torch.tensor(t, dtype=torch.float64)
    before = (y - A(linear(x_t, time))).flatten(1).norm(dim=1)
    after = (y - A(sd.DPSDenoiser(linear, A, y, 0.0)(x_t, time))).flatten(1).norm(dim=1)
    assert (after <= before * (1 + 1e-9)).all()


def test_dps_needs_no_transform_and_no_data():
    process = sd.SoftDiffusion(
        sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [1.0, 1.0]),
        schedules.linear((0, 1), (0.1, 0.5)),
    )
    denoiser = sd.Denoiser(Halves(), process)
    y = normal(2, *SHAPE).float()
    wrapped = sd.DPSDenoiser(denoiser, OPERATORS["mask"], OPERATORS["mask"](y), 0.1)
    with torch.no_grad():
        found = wrapped(y, torch.tensor(0.5))
    assert torch.isfinite(found).all() and not found.requires_grad
    with pytest.raises(ValueError, match="diagonal in a transform, which Composition is not; use"):
        sd.PosteriorDenoiser(denoiser, OPERATORS["mask"], y, 0.1, torch.ones(SHAPE))


class Halves(nn.Module):
    def forward(self, x, t):
        return -x / 2


def test_one_image_more_or_less_changes_nothing():
    linear, A = gaussian("blur", 1), OPERATORS["mask"]
    x_t, y = normal(3, *SHAPE, seed=2), A(normal(3, *SHAPE, seed=3))
    t = torch.tensor([0.1, 0.4, 0.9], dtype=torch.float64)
    for build in (
        lambda y: sd.PosteriorDenoiser(linear, A, y, SIGMA_Y, linear.spectrum),
        lambda y: sd.DPSDenoiser(linear, A, y, SIGMA_Y),
    ):
        together = build(y)(x_t, t)
        for i in range(3):
            alone = build(y[i : i + 1])(x_t[i : i + 1], t[i])[0]
            torch.testing.assert_close(alone, together[i], rtol=1e-9, atol=1e-10)


def test_what_is_out_of_range_is_refused():
    linear, A, y = gaussian("blur", 1), OPERATORS["mask"], normal(3, *SHAPE)
    with pytest.raises(ValueError, match="sigma_y must be finite and >= 0, but is -1"):
        sd.PosteriorDenoiser(linear, A, y, -1.0, linear.spectrum)
    with pytest.raises(ValueError, match="Variances must be >= 0, but one is"):
        sd.PosteriorDenoiser(linear, A, y, 0.1, -linear.spectrum)
    with pytest.raises(ValueError, match="step of DPS must be > 0, but is 0"):
        sd.DPSDenoiser(linear, A, y, 0.1, step=0.0)
    with pytest.raises(ValueError, match="3 values do not fit a batch of 2 images"):
        sd.PosteriorDenoiser(linear, A, y, 0.1, linear.spectrum)(y[:2], torch.tensor(0.5))


def test_dps_needs_noise():
    process = sd.presets.cold_blur(width=3).process
    linear = sd.GaussianDenoiser(process, torch.zeros(1, 4, 4), torch.ones(1, 4, 4))
    denoiser = sd.DPSDenoiser(linear, Scale(1.0), torch.zeros(1, 1, 4, 4), 0.1)
    with pytest.raises(ValueError, match="there is none where sigma is 0"):
        denoiser(torch.zeros(1, 1, 4, 4), torch.tensor(0.5))
