import pytest
import torch
from torch import nn
from torch.nn import functional as F

import softdiffusion as sd
from softdiffusion.operators import Matrix
from tests.physics import AsPhysics

X = torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SQUARE = torch.randn(12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
WIDE = AsPhysics(Matrix(SQUARE[:6], (1, 3, 4), (2, 3)))


def test_a_physics_is_an_operator():
    A = sd.operators.from_physics(WIDE)
    y = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.equal(A(X), WIDE.A(X))
    assert torch.equal(A.T(y), WIDE.A_adjoint(y))
    assert torch.allclose((A(X) * y).sum(), (X * A.T(y)).sum())


def test_the_line_ends_in_the_physics():
    physics = AsPhysics(Matrix(SQUARE))
    y = sd.LinearPhysics(physics).at(torch.tensor([0.25, 1.0], dtype=torch.float64))(X)
    assert torch.allclose(y[0], 0.75 * X[0] + 0.25 * physics.A(X)[0])
    assert torch.allclose(y[1], physics.A(X)[1])


def test_or_there_and_back():
    y = sd.LinearPhysics(WIDE, normal=True).at(0.25)(X)
    assert torch.allclose(y, 0.75 * X + 0.25 * WIDE.A_adjoint(WIDE.A(X)))


def test_a_measurement_of_another_shape_is_no_image():
    with pytest.raises(ValueError, match=r"shape \(1, 3, 4\) into .* \(2, 3\); use normal=True"):
        sd.LinearPhysics(WIDE).at(0.5)(X)


class SinglePrecision(nn.Module):
    """A blur by a filter in single precision, as physics of other libraries hold."""

    def __init__(self):
        super().__init__()
        self.register_buffer("filter", torch.tensor([[[[0.25, 0.5, 0.25]]]]))

    def A(self, x):
        return F.conv2d(x, self.filter, padding="same")

    A_adjoint = A


def test_a_physics_computes_in_the_type_of_its_tensors():
    x = torch.randn(2, 1, 3, 4, dtype=torch.float64)
    A = sd.operators.from_physics(SinglePrecision())
    assert A(x).dtype == A.T(x).dtype == torch.float64
    matrix = A.to_matrix((1, 3, 4))
    found = x.flatten(1) @ matrix[0].mT
    torch.testing.assert_close(found, A(x).flatten(1), rtol=1e-6, atol=1e-6)
    line = sd.LinearPhysics(SinglePrecision()).at(0.5)(x)
    torch.testing.assert_close(line, (x + A(x)) / 2)
