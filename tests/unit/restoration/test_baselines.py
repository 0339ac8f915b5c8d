import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import softdiffusion as sd
from softdiffusion.operators import LinearOperator, Matrix, MatrixFree
from softdiffusion.restoration import pseudo_inverse, wiener

SHAPE = (1, 4, 5)
N = 20


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


WEIGHTS = 0.2 + normal(1, *SHAPE, seed=7).abs()
OPERATORS: dict[str, LinearOperator] = {
    "blur": sd.GaussianBlur().at(0.8),
    "mask": sd.FadingMask().at(1.0),
    "projection": Matrix(normal(8, N, seed=8) / N**0.5, SHAPE, (2, 4)),
    "kernel": sd.KernelBlur([[0.0, 0.1, 0.0], [0.3, 0.4, 0.0], [0.0, 0.2, 0.0]]).at(0.9),
    "weighted shift": MatrixFree(
        lambda x: WEIGHTS * x.roll(1, dims=-1), lambda y: (WEIGHTS * y).roll(-1, dims=-1)
    ),
}
PROCESS = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.linear((0, 4), (0.1, 0.6)))
LINEAR = sd.GaussianDenoiser(PROCESS, normal(*SHAPE), 0.1 + normal(*SHAPE, seed=1).square())


def dense(operator: LinearOperator) -> np.ndarray:
    return operator.to_matrix(SHAPE)[0].numpy()


@pytest.mark.parametrize("name", OPERATORS)
@given(st.floats(0.05, 1), st.integers(0, 100))
def test_wiener_equals_dense_linear_algebra(name, sigma_y, seed):
    A = OPERATORS[name]
    y = A(normal(3, *SHAPE, seed=seed))
    basis = dense(LINEAR.process.corruption.at(0.0))  # the identity, for its size
    units = torch.from_numpy(basis).reshape(N, *SHAPE)
    T = LINEAR.transform.inverse(units).flatten(1).numpy().T
    V, M, m = T * LINEAR.spectrum.flatten().numpy() @ T.T, dense(A), LINEAR.mean.flatten().numpy()
    gain = V @ M.T @ np.linalg.inv(M @ V @ M.T + sigma_y**2 * np.eye(len(M)))
    b = y.flatten(1).numpy() - M @ m
    expected = m + b @ gain.T
    found = wiener(LINEAR, A, y, sigma_y).flatten(1).numpy()
    # The solver stops at 1e-5 of its right side.
    bound = 1e-5 * np.linalg.norm(b) * np.linalg.norm(V @ M.T, 2) / sigma_y**2
    assert np.linalg.norm(found - expected) <= bound + 1e-9


@pytest.mark.parametrize("name", ["blur", "mask", "projection", "kernel"])
@pytest.mark.parametrize("sigma_y", [0.0, 0.1, 0.4])
def test_the_pseudo_inverse_drops_what_noise_drowns(name, sigma_y):
    A = OPERATORS[name]
    y = A(normal(3, *SHAPE, seed=2))
    inverse = np.linalg.pinv(dense(A), rcond=sigma_y or 1e-14)
    found = pseudo_inverse(A, y, sigma_y).flatten(1).numpy()
    np.testing.assert_allclose(found, y.flatten(1).numpy() @ inverse.T, atol=1e-7)


@pytest.mark.parametrize("sigma_y", [0.1, 0.4])
def test_operators_without_a_spectrum_are_regularised(sigma_y):
    A = OPERATORS["weighted shift"]
    y, M = A(normal(3, *SHAPE, seed=2)), dense(A)
    regular = M.T @ np.linalg.inv(M @ M.T + sigma_y**2 * np.eye(N))
    found = pseudo_inverse(A, y, sigma_y).flatten(1).numpy()
    np.testing.assert_allclose(found, y.flatten(1).numpy() @ regular.T, atol=1e-3)


@pytest.mark.parametrize("std", [1.0, 4.0, 30.0])
def test_without_noise_it_is_rounding_that_limits_wiener(std):
    """In single precision a strong blur leaves modes of 1e-30, and of 0."""
    A, y = sd.GaussianBlur().at(std), sd.GaussianBlur().at(std)(normal(3, *SHAPE).float())
    found = wiener(LINEAR, A, y)
    assert found.dtype == torch.float32
    assert (A(found) - y).norm() <= 1e-5 * y.norm()
    assert found.norm() <= 100 * y.norm()


def test_wiener_is_the_best_of_them_on_gaussian_data():
    """In the mean over many images, by more than the sampling error."""
    z = LINEAR.spectrum.sqrt() * normal(500, *SHAPE, seed=3)
    x0 = LINEAR.mean + LINEAR.transform.inverse(z)
    for name in ("blur", "mask"):
        A = OPERATORS[name]
        y = A(x0) + 0.2 * normal(500, *SHAPE, seed=4)

        def error(x: Tensor, x0: Tensor = x0) -> float:
            return float((x - x0).square().mean())

        best = error(wiener(LINEAR, A, y, 0.2))
        assert best < 0.95 * min(error(y), error(pseudo_inverse(A, y, 0.2)))


def test_negative_noise_is_refused():
    y = normal(1, 1, 4, 4)
    linear = sd.GaussianDenoiser(
        sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.geometric((0.2, 3.0), (0.02, 0.2))),
        torch.zeros(1, 4, 4),
        torch.ones(1, 4, 4),
    )
    for method in (pseudo_inverse, lambda *rest: wiener(linear, *rest)):
        with pytest.raises(ValueError, match="sigma_y must be in \\[0, 1e\\+09\\], but is -0.1"):
            method(sd.GaussianBlur().at(1.0), y, -0.1)
