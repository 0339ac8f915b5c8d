import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn
from torch import Tensor

from softdiffusion.operators import DCT, ChannelBasis, Pixel
from softdiffusion.operators.transforms import _dct_by_fft, _dct_matrix, _inverse_dct_by_fft

#: Lines, planes and volumes, with axes on both sides of where the FFT takes over.
SHAPES = [(2, 3, 17), (2, 1, 8, 8), (3, 2, 5, 9), (1, 1, 28, 131), (1, 1, 130, 3), (1, 2, 4, 3, 5)]
LONG_SHAPES = [(2, 3, 257), (1, 1, 200, 129)]


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES + LONG_SHAPES)
def test_the_dct_is_that_of_scipy(shape):
    x = normal(*shape)
    expected = torch.from_numpy(dctn(x.numpy(), axes=range(2, x.ndim), norm="ortho"))
    assert (DCT().forward(x) - expected).norm() <= 1e-12 * x.norm()


@given(st.integers(1, 300), st.integers(1, 3))
def test_fft_and_matrix_agree(n, lines):
    x = normal(lines, n)
    matrix = _dct_matrix(n, torch.float64, torch.device("cpu"))
    assert (_dct_by_fft(x) - x @ matrix.T).norm() <= 1e-12 * x.norm()
    assert (_inverse_dct_by_fft(x) - x @ matrix).norm() <= 1e-12 * x.norm()


@pytest.mark.parametrize(
    "transform", [DCT(), Pixel(), ChannelBasis(torch.linalg.qr(normal(2, 2)).Q)]
)
@pytest.mark.parametrize("shape", [(3, 2, 5, 7), (1, 2, 6, 140), (2, 2, 9), (2, 2, 3, 2, 4)])
def test_transforms_are_orthonormal(transform, shape):
    x, y = normal(*shape), normal(*shape).flip(-1)
    Tx, Ty = transform.forward(x), transform.forward(y)
    assert Tx.shape == x.shape
    assert torch.allclose((Tx * Ty).sum(), (x * y).sum(), rtol=0, atol=1e-12 * x.numel())
    assert (transform.inverse(Tx) - x).norm() <= 1e-12 * x.norm()
    assert (transform.forward(transform.inverse(x)) - x).norm() <= 1e-12 * x.norm()


@pytest.mark.parametrize("n", [16, 150])
def test_gradients_flow_through_the_dct(n):
    """The gradient of <T x, y> is the adjoint applied to y, which is the inverse."""
    x, y = normal(1, 1, 3, n).requires_grad_(), normal(1, 1, 3, n).flip(-1)
    (DCT().forward(x) * y).sum().backward()
    assert (x.grad - DCT().inverse(y)).norm() <= 1e-12 * y.norm()
    z = normal(1, 1, 3, n).requires_grad_()
    (DCT().inverse(z) * y).sum().backward()
    assert (z.grad - DCT().forward(y)).norm() <= 1e-12 * y.norm()


@pytest.mark.parametrize("n", [23, 139])
def test_a_size_first_seen_while_sampling_can_be_trained_on(n):
    with torch.inference_mode():
        DCT().forward(normal(1, 1, n, n))
    x = normal(1, 1, n, n).requires_grad_()
    DCT().forward(x).square().sum().backward()
    assert torch.allclose(x.grad, 2 * x.detach())


def test_float32_keeps_its_precision():
    x = normal(1, 1, 64, 300)
    for transform in (DCT().forward, DCT().inverse):
        assert transform(x.float()).dtype == torch.float32
        assert (transform(x.float()) - transform(x)).norm() <= 1e-6 * x.norm()


def test_equal_transforms_are_the_same_change_of_basis():
    a, b = torch.linalg.qr(normal(3, 3)).Q, torch.linalg.qr(normal(3, 3).T).Q
    equal = {DCT(), DCT(), Pixel(), Pixel(), ChannelBasis(a), ChannelBasis(a.clone())}
    assert len(equal) == 3
    assert ChannelBasis(a) != ChannelBasis(b)
    assert DCT() != Pixel()


def test_a_channel_basis_acts_on_channels_alone():
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    x = normal(2, 2, 3, 4)
    assert torch.equal(ChannelBasis(swap).forward(x), x.flip(1))


def test_a_basis_that_is_not_orthonormal_is_refused():
    with pytest.raises(ValueError, match="must be orthonormal, but miss it by 1.0e-01; .*qr"):
        ChannelBasis(torch.tensor([[1.0, 0.1], [0.0, 1.0]], dtype=torch.float64))
