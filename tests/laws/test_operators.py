"""Laws of every linear operator, on random shapes, batches and operators."""

from inspect import isabstract, isclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import softdiffusion.operators as operators
from softdiffusion.operators import (
    DCT,
    Convolution,
    Hartley,
    LinearOperator,
    Matrix,
    Pixel,
    Scale,
    Transform,
)
from softdiffusion.operators.operator import Product, Sum
from tests.laws.closeness import assert_close
from tests.laws.registry import (
    ALL,
    ALL_SQUARE,
    OPERATORS,
    Draw,
    channel_basis,
    diagonal,
    draws,
    orthonormal,
    random_convolution,
)

every_operator = pytest.mark.parametrize("name", ALL)
every_square_operator = pytest.mark.parametrize("name", ALL_SQUARE)


def apply_matrix(matrix: Tensor, x: Tensor) -> Tensor:
    """The explicit matrices (1 or B, m, n) times the flattened images, (B, m)."""
    return (matrix @ x.flatten(1)[..., None])[..., 0]


def test_the_registry_holds_every_exported_operator():
    draw = Draw((2, 3, 4), 2, 2, 0)
    built = {type(build(draw, 0)).__name__ for build in ALL.values()}
    parts = [getattr(operators, name) for name in operators.__all__]
    concrete = {part.__name__ for part in parts if isclass(part) and not isabstract(part)}
    transforms = {part.__name__ for part in parts if isclass(part) and issubclass(part, Transform)}
    assert built >= concrete - transforms


@every_operator
@given(draws())
def test_linear(name: str, draw: Draw):
    A = ALL[name](draw, 0)
    x, y = images_for(A, draw, 1), images_for(A, draw, 2)
    a, b = draw.normal(draw.batch, salt=3), -1.7
    combined = a.reshape(-1, *[1] * (x.ndim - 1)) * x + b * y
    apart = a[:, None] * A(x).flatten(1) + b * A(y).flatten(1)
    assert_close(A(combined).flatten(1), apart, scale=a.norm() * A(x).norm() + 2 * A(y).norm())


@every_operator
@given(draws())
def test_the_adjoint_moves_to_the_other_side(name: str, draw: Draw):
    A = ALL[name](draw, 0)
    x = images_for(A, draw, 1)
    y = draw.normal(*A(x).shape, salt=5)
    left, right = (A(x) * y).flatten(1).sum(1), (x * A.T(y)).flatten(1).sum(1)
    assert_close(left, right, scale=A(x).norm() * y.norm() + x.norm() * A.T(y).norm())
    assert_close(A.T.T(x), A(x))
    assert torch.equal(A.adjoint(y), A.T(y))


@every_operator
@given(draws())
def test_the_written_out_matrix_does_the_same(name: str, draw: Draw):
    """One matrix a sample, so this is also the law that a batch equals its samples one by one."""
    A = ALL[name](draw, 0)
    x = images_for(A, draw, 1)
    matrix = A.to_matrix(tuple(x.shape[1:]))
    assert_close(A(x).flatten(1), apply_matrix(matrix, x), scale=matrix.norm() * x.norm())
    adjoint = A.T.to_matrix(tuple(A(x).shape[1:]))
    assert_close(adjoint, matrix.mT)


@every_square_operator
@given(st.sampled_from(list(OPERATORS)), draws(largest=3))
def test_the_algebra_is_that_of_matrices(name: str, other: str, draw: Draw):
    A, B = ALL_SQUARE[name](draw, 0), OPERATORS[other](draw, 50)
    a, b = A.to_matrix(draw.shape), B.to_matrix(draw.shape)
    c = draw.factor(salt=9)
    c_matrix = c.reshape(-1, 1, 1)
    for operator, matrix, scale in [
        (A + B, a + b, a.norm() + b.norm()),
        (A - B, a - b, a.norm() + b.norm()),
        (B - A, b - a, a.norm() + b.norm()),
        (A @ B, a @ b, a.norm() * b.norm()),
        (B @ A, b @ a, a.norm() * b.norm()),
        ((A @ B).T, (a @ b).mT, a.norm() * b.norm()),
        ((A + B).T, (a + b).mT, a.norm() + b.norm()),
        (c * A - B.T @ A, c_matrix * a - b.mT @ a, (c.norm() + b.norm()) * a.norm()),
    ]:
        result = operator.to_matrix(draw.shape)
        assert_close(result, matrix.expand_as(result), scale=scale)


@every_operator
@given(draws())
def test_multiples(name: str, draw: Draw):
    A = ALL[name](draw, 0)
    x = images_for(A, draw, 1)
    c = draw.normal(draw.batch, salt=9)
    column = c.reshape(-1, *[1] * (A(x).ndim - 1))
    assert_close((c * A)(x), column * A(x))
    assert_close((A * c)(x), column * A(x))
    assert_close((-1.5 * A)(x), -1.5 * A(x))
    assert_close((A * 2)(x), 2 * A(x))
    assert_close((-A)(x), -A(x))


@every_operator
@pytest.mark.parametrize("dtype, precision", [(torch.float32, 1e-5), (torch.bfloat16, 2**-6)])
@settings(max_examples=10)
@given(draws())
def test_the_dtype_is_kept(name: str, dtype: torch.dtype, precision: float, draw: Draw):
    """Half precision loses no more than the roundings of the input, of each factor and the end."""
    A = ALL[name](draw, 0)
    x = images_for(A, draw, 1).to(dtype)
    matrix = A.to_matrix(tuple(x.shape[1:]))
    assert A(x).dtype == dtype
    error = A(x).double().flatten(1) - apply_matrix(matrix, x.double())
    assert error.norm() <= precision * size_of(A, x) * x.double().norm()


@every_operator
@settings(max_examples=10)
@given(draws())
def test_autocast_takes_no_precision(name: str, draw: Draw):
    A = ALL[name](draw, 0)
    x = images_for(A, draw, 1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = A(x)
    assert torch.equal(inside, A(x))


@every_square_operator
@settings(max_examples=10)
@given(draws())
def test_nothing_that_is_done_with_an_operator_changes_it(name: str, draw: Draw):
    A = ALL_SQUARE[name](draw, 0)
    x = draw.images()
    kept, before = x.clone(), A(x)
    for other in [A + A, A @ A, 2 * A, -A, A.T, A - Scale(0.5), A.pinverse()]:
        other(x)
    assert torch.equal(x, kept)
    assert torch.equal(A(x), before)


#: Operators with singular values that are 0 or between 1/2 and 2: far from every cut-off.
INVERTIBLE = {
    "Scale": lambda draw, salt: Scale(gapped(draw, (draw.operators,), salt)),
    "Diagonal in the DCT": lambda draw, salt: gapped_diagonal(DCT(), draw, salt),
    "Diagonal in the pixels": lambda draw, salt: gapped_diagonal(Pixel(), draw, salt),
    "Diagonal in the channels": lambda draw, salt: gapped_diagonal(channel_basis(draw), draw, salt),
    "Diagonal in the Hartley transform": lambda draw, salt: gapped_diagonal(Hartley(), draw, salt),
    "Convolution": lambda draw, salt: gapped_convolution(draw, salt),
    "Matrix": lambda draw, salt: Matrix(gapped_matrix(draw, salt)),
    "Product of diagonals": lambda draw, salt: (
        gapped_diagonal(DCT(), draw, salt) @ gapped_diagonal(DCT(), draw, salt + 1)
    ),
    "Matrix times an orthonormal one": lambda draw, salt: (
        Matrix(gapped_matrix(draw, salt)) @ Matrix(orthonormal(draw, draw.n, salt + 1))
    ),
    "matrix-free": lambda draw, salt: (
        permutation(draw) @ gapped_diagonal(Pixel(), draw, salt) @ permutation(draw).T
    ),
    "Sum in two bases": lambda draw, salt: (
        Matrix(gapped_matrix(draw, salt)) @ gapped_diagonal(DCT(), draw, 0) @ Scale(0.0)
        + gapped_diagonal(Pixel(), draw, salt)
    ),
    "wide Matrix": lambda draw, salt: Matrix(
        gapped_matrix(draw, salt)[..., : (draw.n + 1) // 2, :], draw.shape, (1, (draw.n + 1) // 2)
    ),
}


@pytest.mark.parametrize("name", INVERTIBLE)
@given(draws(largest=4))
def test_the_pseudo_inverse_obeys_the_laws_of_penrose(name: str, draw: Draw):
    A = INVERTIBLE[name](draw, 0)
    x = draw.images()
    y = A(draw.images(1))
    P = A.pinverse(rtol=1e-6)
    assert_close((A @ P @ A)(x), A(x), scale=x.norm())
    assert_close((P @ A @ P)(y), P(y), scale=y.norm() + x.norm())
    assert_close((A @ P).T(y), (A @ P)(y), scale=y.norm() + x.norm())
    assert_close((P @ A).T(x), (P @ A)(x), scale=x.norm())
    assert torch.equal(A.pinv(y, rtol=1e-6), P(y))


@pytest.mark.parametrize("name", [name for name in INVERTIBLE if name != "Scale"])
@given(draws(largest=4))
def test_the_pseudo_inverse_is_that_of_the_matrix(name: str, draw: Draw):
    A = INVERTIBLE[name](draw, 0)
    y = A(draw.images(1))
    inverse = torch.linalg.pinv(A.to_matrix(draw.shape), rtol=1e-6)
    result = A.pinverse(rtol=1e-6)(y).flatten(1)
    assert_close(result, apply_matrix(inverse, y), scale=inverse.norm() * y.norm())


@pytest.mark.parametrize("name", ["Scale", "DCT", "Pixel", "Matrix"])
@given(draws(largest=4))
def test_the_square_root_squared_is_the_operator(name: str, draw: Draw):
    values = draw.uniform(draw.operators, *draw.shape)
    matrix = gapped_matrix(draw, 0)
    A: LinearOperator = {
        "Scale": Scale(draw.uniform(draw.operators)),
        "DCT": diagonal(DCT(), values),
        "Pixel": diagonal(Pixel(), values),
        "Matrix": Matrix(matrix @ matrix.mT),  # singular, too
    }[name]
    x = draw.images()
    root = A.sqrt()
    # The root of an eigenvalue that is zero up to rounding is as large as that rounding's root.
    assert_close(root(root(x)), A(x), scale=x.norm())
    assert (root(x) * x).flatten(1).sum(1).min() >= -1e-10 * x.norm() ** 2
    assert_close(root.T(x), root(x), scale=x.norm())


@pytest.mark.parametrize("transform", ["DCT", "Pixel", "ChannelBasis"])
@given(draws())
def test_operators_diagonal_in_one_transform_stay_so(transform: str, draw: Draw):
    basis = {"DCT": DCT(), "Pixel": Pixel(), "ChannelBasis": channel_basis(draw)}
    a, b = draw.normal(2, draw.operators, *draw.shape, salt=1)
    c = draw.factor()
    A, B = diagonal(basis[transform], a), diagonal(basis[transform], b)
    column = c.reshape(-1, *[1] * len(draw.shape))
    z = draw.images()
    for combined, values in [
        (A + B, a + b),
        (A - B, a - b),
        (A @ B, a * b),
        (c * A, column * a),
        (A + Scale(c), a + column),
        (Scale(c) - A, column - a),
        (A @ Scale(c) @ B.T, column * a * b),
        (-A, -a),
        (A.pinverse(1e-9), 1 / a),
        ((A @ A).sqrt(), a.abs()),
    ]:
        assert isinstance(combined, operators.Diagonal)
        assert combined.transform == basis[transform]
        assert_close(combined.diagonal(z) * z, values * z)


@given(draws())
def test_sums_and_products_of_convolutions_are_convolutions(draw: Draw):
    A, B = random_convolution(draw, 1), random_convolution(draw, 2)
    a, b = A.diagonal(draw.images()), B.diagonal(draw.images())
    c = draw.factor()
    column = c.reshape(-1, *[1] * len(draw.shape))
    for combined, transfer in [
        (A + B, a + b),
        (A - B, a - b),
        (A @ B, a * b),
        (c * A, column * a),
        (A + Scale(c), a + column),
        (Scale(c) - A, column - a),
        (A @ Scale(c) @ B.T, column * a * b.conj()),
        (A.pinverse(1e-9), 1 / a),
        ((A @ A.T).sqrt(), a.abs()),
    ]:
        assert isinstance(combined, Convolution)
        result = combined.diagonal(draw.images())
        assert_close(result, transfer.expand_as(result).to(result.dtype))


@given(draws())
def test_multiples_of_the_identity_merge(draw: Draw):
    a, b = draw.factor(salt=1), draw.factor(salt=2)
    x = draw.images()
    for combined, factor in [
        (Scale(a) + Scale(b), a + b),
        (Scale(a) - Scale(b), a - b),
        (Scale(a) @ Scale(b), a * b),
        (-2.0 * Scale(a).T, -2 * a),
    ]:
        assert isinstance(combined, Scale)
        assert_close(combined(x), factor.reshape(-1, *[1] * len(draw.shape)) * x, scale=x.norm())


def images_for(A: LinearOperator, draw: Draw, salt: int) -> Tensor:
    """Images of the shape that the operator takes."""
    shape = getattr(A, "shape_in", None) or draw.shape
    return draw.normal(draw.batch, *shape, salt=100 + salt)


def size_of(A: LinearOperator, x: Tensor) -> float:
    """The norm of an operator; for one that is applied in turn, what its factors could reach."""
    if isinstance(A, Sum):
        return size_of(A.a, x) + size_of(A.b, x)
    if isinstance(A, Product):
        return size_of(A.a, A.b(x)) * size_of(A.b, x)
    return float(torch.linalg.matrix_norm(A.to_matrix(tuple(x.shape[1:])), 2).max())


def gapped(draw: Draw, shape: tuple[int, ...], salt: int) -> Tensor:
    """Numbers of size 1/2 to 2 and of both signs, about a quarter of them zero."""
    values = 2 ** (2 * draw.uniform(*shape, salt=salt) - 1)
    values *= draw.normal(*shape, salt=salt + 1).sign()
    return torch.where(draw.uniform(*shape, salt=salt + 2) < 0.25, 0.0, values)


def gapped_diagonal(transform: operators.Transform, draw: Draw, salt: int) -> LinearOperator:
    return diagonal(transform, gapped(draw, (draw.operators, *draw.shape), salt))


def gapped_convolution(draw: Draw, salt: int) -> LinearOperator:
    """The transfer function of white noise, set to zero or to a size between 1 and 2.

    Opposite frequencies have the same size of white noise, so both are treated alike.
    """
    phases = random_convolution(draw, salt)

    def transfer(x: Tensor) -> Tensor:
        h = phases.diagonal(x)
        kept = torch.where(h.abs() < 0.5, 0.0, h / h.abs())
        return kept * (0.5 + h.abs().clamp(max=1.5))

    return Convolution(transfer)


def gapped_matrix(draw: Draw, salt: int) -> Tensor:
    left, right = orthonormal(draw, draw.n, salt + 3), orthonormal(draw, draw.n, salt + 4)
    values = gapped(draw, (draw.operators, draw.n), salt)
    return left * values[:, None, :] @ right


def permutation(draw: Draw) -> LinearOperator:
    return operators.MatrixFree(lambda x: x.roll(1, dims=-1), lambda y: y.roll(-1, dims=-1))
