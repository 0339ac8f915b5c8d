import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import softdiffusion as sd
from softdiffusion import schedules

PROCESSES = {
    "blur": sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 4), (0.1, 0.6))),
    "mask": sd.SoftDiffusion(sd.FadingMask(), schedules.linear((0, 4), (0.1, 0.6))),
    "scaling": sd.SoftDiffusion(sd.Scaling(), schedules.linear((0, 1), (0.1, 1))),
    "composition": sd.SoftDiffusion(
        sd.Composition([sd.Scaling(), sd.FadingMask()], [1.0, 3.0]),
        schedules.linear((0, 1), (0.1, 0.6)),
    ),
}
COLD = sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 30), (0, 0)))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", PROCESSES)
@given(
    st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 4)),
    st.floats(0, 1),
    st.integers(0, 1000),
)
def test_it_is_the_posterior_mean_by_explicit_linear_algebra(name, shape, t, seed):
    """E[x_0 | x_t] = m + S C^T (C S C^T + sigma^2 I)^-1 (x_t - C m), with dense matrices."""
    process = PROCESSES[name]
    transform = process.corruption.transform
    mean, spectrum = normal(*shape, seed=seed), normal(*shape, seed=seed + 1).square()
    x_t = normal(3, *shape, seed=seed + 2)
    n = mean.numel()
    basis = transform.inverse(torch.eye(n, dtype=torch.float64).reshape(n, *shape)).flatten(1).T
    covariance = basis * spectrum.flatten() @ basis.T
    C = process.operator(t).to_matrix(shape)[0]
    sigma = process.sigma(t).item()
    observed = C @ covariance @ C.T + sigma**2 * torch.eye(n, dtype=torch.float64)
    gain = torch.linalg.solve(observed, C @ covariance).T
    expected = mean.flatten() + (x_t.flatten(1) - C @ mean.flatten()) @ gain.T

    denoiser = sd.GaussianDenoiser(process, mean, spectrum)
    found = denoiser(x_t, torch.tensor(t, dtype=torch.float64)).flatten(1)
    assert (found - expected).norm() <= 1e-10 * (expected.norm() + x_t.norm())


def test_one_time_a_sample_equals_one_by_one():
    denoiser = sd.GaussianDenoiser(PROCESSES["blur"], normal(1, 4, 5), normal(1, 4, 5).square())
    x_t, t = normal(3, 1, 4, 5, seed=2), torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    together = denoiser(x_t, t)
    for i in range(3):
        for time in (t[i], t[i : i + 1]):
            alone = denoiser(x_t[i : i + 1], time)[0]
            assert torch.allclose(alone, together[i], rtol=1e-12, atol=1e-13)


def test_it_is_fitted_on_mean_and_variances(digits):
    process = PROCESSES["blur"]
    denoiser = sd.GaussianDenoiser.fit(process, digits)
    z = process.corruption.transform.forward(digits)
    assert torch.allclose(denoiser.mean, digits.mean(0))
    assert torch.allclose(denoiser.spectrum, z.var(0, correction=0))


def test_it_beats_the_mean_and_the_observation_on_digits(digits):
    process = PROCESSES["blur"]
    denoiser = sd.GaussianDenoiser.fit(process, digits)
    noise = normal(*digits.shape)
    x_t = process.perturb(digits, 0.15, noise)

    def error(x):
        return (x - digits).square().mean()

    found = error(denoiser(x_t, torch.tensor(0.15)))
    assert found < 0.9 * error(x_t) and found < 0.9 * error(digits.mean(0))


def test_the_dtype_of_the_images_decides():
    denoiser = sd.GaussianDenoiser(PROCESSES["blur"], normal(1, 4, 5), normal(1, 4, 5).square())
    x_t = normal(3, 1, 4, 5, seed=2)
    single = denoiser(x_t.float(), torch.tensor(0.5))
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), denoiser(x_t, torch.tensor(0.5)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_left_no_trace_is_the_mean(dtype):
    """A blur of 30 pixels leaves no detail, not even a number above zero, and there is no noise."""
    mean = normal(1, 8, 8).to(dtype)
    denoiser = sd.GaussianDenoiser(COLD, mean, torch.ones(1, 8, 8, dtype=dtype))
    clean = normal(2, 1, 8, 8, seed=3).to(dtype)
    x_t = COLD.operator(1.0)(clean)
    found = denoiser(x_t, torch.ones((), dtype=dtype))
    detail = mean - mean.mean()
    expected = detail + clean.mean(dim=(1, 2, 3), keepdim=True)
    assert torch.allclose(found, expected, atol=1e-4)


def test_it_can_be_moved_and_saved_like_any_module():
    denoiser = sd.GaussianDenoiser(PROCESSES["blur"], normal(1, 4, 5), normal(1, 4, 5).square())
    assert set(denoiser.state_dict()) == {"mean", "spectrum"}
    assert denoiser.float().mean.dtype == torch.float32


def test_a_corruption_without_a_transform_is_refused():
    oblique = sd.MatrixFamily(torch.ones(4, 4).triu())
    process = sd.SoftDiffusion(oblique, schedules.linear((0, 1), (0, 1)))
    with pytest.raises(ValueError, match="diagonal in a transform, which MatrixFamily is not"):
        sd.GaussianDenoiser(process, torch.zeros(1, 2, 2), torch.ones(1, 2, 2))
    with pytest.raises(ValueError, match="diagonal in a transform, which MatrixFamily is not"):
        sd.GaussianDenoiser.fit(process, torch.zeros(3, 1, 2, 2))


@pytest.mark.parametrize(
    ("mean", "spectrum", "message"),
    [
        (torch.zeros(1, 2, 2), torch.full((1, 2, 2), -0.5), "must be >= 0, but one is -0.5"),
        (torch.zeros(1, 2, 2), torch.full((1, 2, 2), torch.nan), "The spectrum must be finite"),
        (torch.full((1, 2, 2), torch.inf), torch.ones(1, 2, 2), "The mean must be finite"),
        (torch.zeros(1, 2, 2), torch.ones(1, 2, 3), r"have \(1, 2, 2\) and \(1, 2, 3\)"),
    ],
)
def test_impossible_moments_are_refused(mean, spectrum, message):
    with pytest.raises(ValueError, match=message):
        sd.GaussianDenoiser(PROCESSES["blur"], mean, spectrum)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_rounds_what_goes_in_and_out_alone(dtype):
    process = PROCESSES["blur"]
    denoiser = sd.GaussianDenoiser(process, normal(1, 6, 6), normal(1, 6, 6, seed=1).square())
    x_t, t = normal(4, 1, 6, 6, seed=2).to(dtype), torch.tensor(0.7)
    assert torch.equal(denoiser(x_t, t), denoiser(x_t.float(), t).to(dtype))
