import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve
from torch import Tensor

from softdiffusion.operators import Diagonal, Hartley

SHAPES = [(2, 3, 17), (3, 2, 5, 9), (1, 1, 37, 53), (1, 2, 4, 3, 5), (2, 1, 1, 8)]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1, 1, 7), (1, 1, 4, 5), (1, 1, 2, 3, 4)])
def test_it_is_the_sum_of_its_definition(shape):
    x = normal(*shape)
    grid = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in shape[2:]))
    grid = grid.reshape(-1, len(shape) - 2)
    phase = 2 * math.pi * (grid / torch.tensor(shape[2:])) @ grid.T
    cas = (phase.cos() + phase.sin()) / math.sqrt(len(grid))
    expected = (cas @ x.flatten()).reshape(shape)
    assert (Hartley().forward(x) - expected).norm() <= 1e-12 * x.norm()


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_orthonormal_and_its_own_inverse(shape):
    x, y = normal(*shape), normal(*shape, seed=1)
    z = Hartley().forward(x)
    assert (Hartley().forward(z) - x).norm() <= 1e-13 * x.norm()
    assert torch.equal(Hartley().inverse(z), Hartley().forward(z))
    difference = (z * Hartley().forward(y)).sum() - (x * y).sum()
    assert difference.abs() <= 1e-13 * x.norm() * y.norm()


@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 1000))
def test_periodic_convolutions_with_point_symmetric_kernels_are_diagonal(height, width, seed):
    kernel = normal(3, 3, seed=seed)
    kernel = kernel + kernel.flip(0, 1)
    unit = torch.zeros(1, 1, height, width, dtype=torch.float64)
    unit[..., 0, 0] = 1

    def wrapped(x: Tensor) -> Tensor:
        return torch.from_numpy(convolve(x[0, 0].numpy(), kernel.numpy(), mode="wrap"))[None, None]

    # The unit impulse is flat in the transform, so its image under A is the spectrum.
    spectrum = Hartley().forward(wrapped(unit)) / Hartley().forward(unit)
    A = Diagonal(Hartley(), lambda z: spectrum.to(z))
    x = normal(1, 1, height, width, seed=seed + 1)
    assert (A(x) - wrapped(x)).norm() <= 1e-13 * kernel.abs().sum() * x.norm()


def test_gradients_flow_through_it():
    """The gradient of <T x, y> is the adjoint applied to y, which is the inverse."""
    x, y = normal(1, 1, 3, 5).requires_grad_(), normal(1, 1, 3, 5, seed=1)
    (Hartley().forward(x) * y).sum().backward()
    assert (x.grad - Hartley().inverse(y)).norm() <= 1e-13 * y.norm()


def test_float32_keeps_its_precision():
    x = normal(1, 1, 64, 300)
    z = Hartley().forward(x.float())
    assert z.dtype == torch.float32
    assert (z - Hartley().forward(x)).norm() <= 1e-6 * x.norm()
