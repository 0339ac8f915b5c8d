import pytest
import torch

from softdiffusion.operators import DCT, Diagonal, LinearOperator, MatrixFree, Scale

BLUR = Diagonal(DCT(), lambda z: torch.full((1, 1, 1), 0.5, dtype=z.dtype))
ROLL = MatrixFree(lambda x: x.roll(1, -1), lambda y: y.roll(-1, -1))


def test_the_product_of_operators_is_written_with_at():
    with pytest.raises(TypeError, match="written A @ B"):
        BLUR * ROLL


@pytest.mark.parametrize("combine", [lambda A: A + 1, lambda A: A - 1, lambda A: A @ torch.eye(2)])
def test_only_operators_are_added_and_chained(combine):
    with pytest.raises(TypeError):
        combine(BLUR)


@pytest.mark.parametrize("operator", [ROLL, BLUR + ROLL, BLUR @ ROLL])
def test_a_square_root_needs_a_known_spectrum(operator):
    with pytest.raises(
        ValueError, match="has no known spectrum, so its square root can't be taken"
    ):
        operator.sqrt()


def test_factors_from_torch_on_the_left():
    """A tensor leaves the product to the operator."""
    x = torch.ones(2, 1, 3)
    product = torch.tensor([2.0, 4.0]) * BLUR
    assert isinstance(product, Diagonal)
    assert product(x)[:, 0, 0].tolist() == pytest.approx([1, 2])


def test_a_new_operator_is_a_map_and_its_adjoint():
    """Everything else comes from the base class."""

    class Doubling(LinearOperator):
        def __call__(self, x):
            return 2 * x

        @property
        def T(self):
            return self

    x = torch.arange(6.0, dtype=torch.float64).reshape(1, 2, 3)
    A = Doubling()
    assert torch.equal((A + A - Scale(1.0))(x), 3 * x)
    assert torch.equal((A @ ROLL).T(x), 2 * x.roll(-1, -1))
    assert torch.allclose(A.pinv(x), x / 2)
    assert torch.equal(A.to_matrix((2, 3)), 2 * torch.eye(6, dtype=torch.float64)[None])
