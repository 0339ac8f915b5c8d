import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd
from softdiffusion.operators import (
    DCT,
    ChannelMatrix,
    Matrix,
    MatrixFree,
    Scale,
    conjugate_gradients,
    solve,
)
from tests.laws.registry import Draw, diagonal, draws, random_convolution, random_mixing


def positive(draw: Draw) -> torch.Tensor:
    """Symmetric matrices with eigenvalues in [0.5, 2], one or one a sample."""
    basis = torch.linalg.qr(draw.normal(draw.operators, draw.n, draw.n)).Q
    values = 0.5 + 1.5 * draw.uniform(draw.operators, 1, draw.n, salt=1)
    return basis * values @ basis.mT


@given(draws())
def test_conjugate_gradients_reach_the_tolerance(draw):
    matrix, b = positive(draw), draw.images()
    u = conjugate_gradients(Matrix(matrix), b, tolerance=1e-9)
    residual = b.flatten(1) - (matrix @ u.flatten(1)[..., None])[..., 0]
    # The recursion for the residual drifts from the true one by rounding alone.
    assert (residual.norm(dim=1) <= 1.1e-9 * b.flatten(1).norm(dim=1) + 1e-12).all()
    expected = torch.linalg.solve(matrix, b.flatten(1)[..., None])[..., 0]
    assert (u.flatten(1) - expected).norm() <= 2e-9 * b.norm() + 1e-12  # |K^-1| <= 2


@given(draws())
def test_a_diagonal_is_inverted_exactly(draw):
    values = 1e-12 + draw.uniform(draw.operators, *draw.shape)
    b = draw.images()
    found = solve(diagonal(DCT(), values), b)
    expected = DCT().inverse(DCT().forward(b) / values)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))


@given(draws())
def test_convolutions_and_mixings_of_channels_are_inverted_exactly(draw):
    for A in (random_convolution(draw, 1), ChannelMatrix(random_mixing(draw, 1))):
        b = draw.images()
        u = solve(A @ A.T + Scale(0.1), b)
        # Far below what conjugate gradients stop at, for a condition of at most about 1,000.
        assert (A(A.T(u)) + 0.1 * u - b).norm() <= 1e-11 * b.norm()


@given(draws(), st.integers(0, 100))
def test_images_do_not_disturb_each_other(draw, seed):
    """A hard image, an easy one and a blank one in one batch."""
    values = 1 + 99 * draw.uniform(1, *draw.shape, salt=seed)
    operator = MatrixFree(lambda x: values * x, lambda x: values * x)
    easy = torch.zeros_like(values)
    easy.view(-1)[0] = 1
    batch = torch.cat([draw.images()[:1], easy, 0 * easy])
    together = conjugate_gradients(operator, batch)
    for image, found in zip(batch, together, strict=True):
        assert torch.allclose(conjugate_gradients(operator, image[None])[0], found, atol=1e-10)
    assert torch.equal(together[2], 0 * easy[0])


def test_a_system_of_n_numbers_takes_n_iterations():
    b = torch.randn(2, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    calls = []
    values = torch.arange(1.0, 7.0, dtype=torch.float64).reshape(1, 1, 2, 3)

    def multiply(x):
        calls.append(1)
        return values * x

    u = conjugate_gradients(MatrixFree(multiply, multiply), b, iterations=6, tolerance=1e-12)
    assert torch.allclose(u, b / values, rtol=1e-10)
    assert len(calls) == 6


def test_a_singular_system_is_solved_where_it_can_be():
    mask = torch.tensor([1.0, 0.0, 2.0, 0.0], dtype=torch.float64).reshape(1, 1, 2, 2)
    operator = MatrixFree(lambda x: mask * x, lambda x: mask * x)
    b = torch.tensor([3.0, 0.0, 5.0, 0.0], dtype=torch.float64).reshape(1, 1, 2, 2)
    expected = torch.tensor([3.0, 0.0, 2.5, 0.0], dtype=torch.float64).reshape(1, 1, 2, 2)
    assert torch.allclose(conjugate_gradients(operator, b), expected)
    blind = torch.ones(1, 1, 2, 2, dtype=torch.float64) * (mask == 0)
    assert torch.equal(conjugate_gradients(operator, blind), 0 * blind)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_multiples_of_the_identity(dtype):
    b = torch.ones(2, 1, 3, dtype=dtype)
    found = solve(Scale(torch.tensor([2.0, 4.0])), b)
    assert torch.equal(found[:, 0, 0], torch.tensor([0.5, 0.25], dtype=dtype))
    blur = sd.GaussianBlur().at(0.5)
    assert solve(blur @ blur.T + Scale(0.1), b).dtype == dtype


def test_a_system_that_is_not_solved_in_time_is_told():
    matrix = torch.diag(torch.logspace(0, -9, 12, dtype=torch.float64))
    b = torch.ones(1, 1, 12)
    with pytest.warns(RuntimeWarning, match="stopped after 3 iterations at a relative residual"):
        conjugate_gradients(Matrix(matrix), b, iterations=3)
    u = conjugate_gradients(Matrix(matrix), b, iterations=40, tolerance=1e-6)
    torch.testing.assert_close(
        u[0, 0].double() * matrix.diag(), torch.ones(12).double(), rtol=0, atol=1e-5
    )
