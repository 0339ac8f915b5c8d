import pytest
import torch

from softdiffusion.operators import DCT, Diagonal, Matrix, MatrixFree, Scale


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_square_matrix_keeps_the_shape():
    x = normal(2, 1, 2, 3)
    assert torch.allclose(Matrix(2 * torch.eye(6))(x), 2 * x)


def test_a_rectangular_matrix_needs_shapes():
    with pytest.raises(ValueError, match="rectangular matrix, here 2 x 3, needs both"):
        Matrix(normal(2, 3), shape_in=(3,))


@pytest.mark.parametrize("shapes", [((1, 2, 2), (2,)), ((3,), (1, 5))])
def test_shapes_must_hold_the_coordinates(shapes):
    with pytest.raises(ValueError, match="does not hold the matrix's . coordinates"):
        Matrix(normal(2, 3), *shapes)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"takes images of 3 numbers, but got .* \(1, 2, 2\)"):
        Matrix(normal(3, 3))(normal(1, 1, 2, 2))


def test_another_number_of_samples_is_refused():
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images"):
        Matrix(normal(2, 4, 4))(normal(3, 1, 2, 2))


def test_products_find_their_shapes():
    """A square matrix without shapes may stand on either side of one with shapes."""
    wide = Matrix(normal(2, 6), (1, 2, 3), (2, 1))
    square, small = Matrix(normal(6, 6).flip(0)), Matrix(normal(2, 2))
    x, y = normal(4, 1, 2, 3), normal(4, 2, 1)
    for product in (wide @ square, small @ wide, small @ wide @ square):
        assert isinstance(product, Matrix)
        assert product(x).shape == (4, 2, 1)
        assert product.T(y).shape == (4, 1, 2, 3)
    assert torch.allclose((wide @ square)(x), wide(square(x)))
    assert torch.allclose((square @ wide.T)(y), square(wide.T(y)))
    total = square + wide.T @ wide
    assert torch.allclose(total(x), square(x) + wide.T(wide(x)))


@pytest.mark.parametrize("rtol, kept", [(None, 3), (1e-3, 2), (0.2, 1)])
def test_small_singular_values_count_as_zero(rtol, kept):
    Q = torch.linalg.qr(normal(3, 3)).Q
    values = torch.tensor([1.0, 0.1, 1e-6], dtype=torch.float64)
    inverse = Matrix(Q * values @ Q.T).pinverse(rtol).to_matrix((3,))
    largest = torch.linalg.svdvals(inverse).max().item()
    assert largest == pytest.approx([1, 10, 1e6][kept - 1], rel=1e-6)


def test_a_matrix_without_a_square_root_is_refused():
    for matrix in (normal(3, 3), -torch.eye(3)):
        with pytest.raises(ValueError, match="needs a symmetric matrix with eigenvalues >= 0"):
            Matrix(matrix).sqrt()


def test_a_pseudo_inverse_that_would_take_minutes_is_refused():
    mixed = Diagonal(DCT(), lambda z: torch.ones_like(z)) @ MatrixFree(torch.neg, torch.neg)
    with pytest.raises(ValueError, match="refused above 4096 coordinates, but the image has 4225"):
        mixed.pinverse()(torch.zeros(1, 1, 65, 65))


def test_the_adjoint_of_a_dense_pseudo_inverse():
    roll = MatrixFree(lambda x: 2 * x.roll(1, -1), lambda y: 2 * y.roll(-1, -1))
    y = normal(2, 1, 2, 3)
    assert torch.allclose(roll.pinverse()(y), y.roll(-1, -1) / 2)
    assert torch.allclose(roll.pinverse().T(y), y.roll(1, -1) / 2)


def test_adding_a_multiple_of_the_identity_stays_a_matrix():
    A = Matrix(normal(4, 4))
    x = normal(3, 1, 2, 2)
    c = torch.tensor([0.5, -1.0, 2.0])
    assert isinstance(A + Scale(c), Matrix)
    assert torch.allclose((A + Scale(c))(x), A(x) + c[:, None, None, None] * x)


def test_matrices_of_two_precisions_multiply():
    a, b = normal(4, 4), normal(4, 4)
    x = normal(1, 1, 2, 2)
    mixed = (Matrix(a.float()) @ Matrix(b.double()))(x)
    torch.testing.assert_close(mixed, Matrix(a)(Matrix(b)(x)), rtol=1e-5, atol=1e-5)
