import numpy as np
import pytest
import torch
from scipy.ndimage import convolve, shift
from torch import Tensor

from softdiffusion.operators import Convolution, Scale


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def convolution(kernel: Tensor) -> Convolution:
    """The periodic convolution with kernels (B or 1, C or 1, ...) around the first pixel."""
    axes = tuple(range(2, kernel.ndim))

    def transfer(x: Tensor) -> Tensor:
        padded = torch.zeros(*kernel.shape[:2], *x.shape[2:], dtype=x.dtype)
        padded[tuple(slice(n) for n in kernel.shape)] = kernel.to(x)
        rolled = padded.roll([-(n // 2) for n in kernel.shape[2:]], axes)
        return torch.fft.rfftn(rolled, dim=axes)

    return Convolution(transfer)


@pytest.mark.parametrize("shape", [(9,), (37, 53), (4, 6), (5, 3, 4)])
def test_it_is_scipys_periodic_convolution(shape):
    x = normal(2, 3, *shape)
    kernel = normal(1, 1, *(3 for _ in shape), seed=1)
    y, back = convolution(kernel)(x), convolution(kernel).T(x)
    plain = kernel[0, 0].numpy()
    tolerance = 1e-13 * kernel.abs().sum() * x.norm()
    for b in range(2):
        for c in range(3):
            image = x[b, c].numpy()
            expected = convolve(image, plain, mode="wrap")
            assert (y[b, c] - torch.from_numpy(expected)).norm() <= tolerance
            expected = convolve(image, np.flip(plain), mode="wrap")
            assert (back[b, c] - torch.from_numpy(expected)).norm() <= tolerance


def test_a_shift_is_undone_by_its_adjoint_and_by_its_pseudo_inverse():
    roll = convolution(torch.tensor([[[0.0, 0.0, 1.0]]]))
    x = normal(2, 3, 8)
    assert torch.allclose(roll(x), x.roll(1, -1))
    assert torch.allclose(
        roll(x)[1, 2], torch.from_numpy(shift(x[1, 2], 1, order=0, mode="grid-wrap"))
    )
    assert torch.allclose(roll.T(roll(x)), x)
    assert torch.allclose(roll.pinverse()(roll(x)), x)


def test_the_dtype_is_kept_and_single_precision_is_enough():
    A = convolution(normal(1, 1, 3, 3))
    x = normal(2, 3, 37, 53)
    assert A(x.float()).dtype == torch.float32
    assert (A(x.float()) - A(x)).norm() <= 1e-6 * A(x).norm()
    assert A(x.half()).dtype == torch.float16
    assert torch.equal(A(x.half()), A(x.half().float()).half())


@pytest.mark.parametrize("rtol, kept", [(None, 8), (0.3, 7), (0.6, 5)])
def test_small_values_count_as_zero(rtol, kept):
    """Of 8 frequencies, one has a gain of 0.25, two of 0.5, and the others of 1."""
    gains = torch.tensor([0.25, 1.0, 1.0, 0.5, 1.0])
    inverse = Convolution(lambda x: gains.to(x)[None, None] + 0j).pinverse(rtol)
    values = inverse.diagonal(torch.zeros(1, 1, 8))
    expected = torch.where(gains > (rtol or 0), 1 / gains, 0.0)
    assert torch.allclose(values.real, expected)
    assert torch.linalg.matrix_rank(inverse.to_matrix((1, 8))[0]) == kept


def test_the_cut_off_is_relative_to_each_sample():
    gains = torch.tensor([[1, 1 / 64], [1 / 1024, 1 / 64]])[:, None] + 0j
    inverse = Convolution(lambda x: gains).pinverse(0.05).diagonal(torch.zeros(2, 1, 2))
    assert inverse.real.flatten(1).tolist() == [[1, 0], [1024, 64]]


@pytest.mark.parametrize("kernel", [[0.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
def test_a_square_root_needs_a_real_transfer_function_that_is_not_negative(kernel):
    A = convolution(torch.tensor([[kernel]], dtype=torch.float64))
    with pytest.raises(ValueError, match="needs a real transfer function >= 0, but its imaginary"):
        A.sqrt()(normal(1, 1, 6))


def test_one_operator_a_sample():
    kernels = normal(2, 1, 3, 3)
    x = normal(2, 3, 7, 6)
    apart = [convolution(kernels[i : i + 1])(x[i : i + 1]) for i in range(2)]
    assert torch.allclose(convolution(kernels)(x), torch.cat(apart))
    assert convolution(kernels)(x[:1]).shape == (2, 3, 7, 6)
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images; give one value"):
        convolution(kernels)(normal(3, 1, 7, 6))


def test_gradients_flow_through_a_convolution():
    """The gradient of <A x, y> is the adjoint applied to y."""
    A = convolution(normal(1, 1, 3, 3))
    x, y = normal(2, 1, 5, 6).requires_grad_(), normal(2, 1, 5, 6, seed=1)
    (A(x) * y).sum().backward()
    assert (x.grad - A.T(y)).norm() <= 1e-13 * x.grad.norm()
    factor = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    ((A @ Scale(factor))(x.detach()) * y).sum().backward()
    assert torch.allclose(factor.grad, (A(x) * y).flatten(1).sum(1))
