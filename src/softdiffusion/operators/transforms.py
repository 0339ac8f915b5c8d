"""Orthonormal transforms in which families of operators become diagonal."""

import functools
import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import checked
from ..checks import as_real

__all__ = ["DCT", "ChannelBasis", "Pixel", "Transform"]

#: The longest axis that is transformed by a matrix product. Measured on one core of a processor
#: with AVX2: the product takes 0.4 of the FFT's time at 64 pixels, 0.9 at 128, 1.4 times it at
#: 256, 2.7 at 512 and 5 at 1,024 (float32; in double precision 0.6, 0.7, 1.1, 1.8 and 4).
_LONGEST_MATRIX_AXIS = 128


class Transform(ABC):
    r"""An orthonormal change of basis :math:`T`, so that :math:`T^{-1} = T^\top`.

    Two transforms are equal if they are the same change of basis; operators that are diagonal
    in equal transforms add and multiply coefficient by coefficient.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Returns the coefficients `T x` of a batch (B, C, ...), in the same shape."""

    @abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """Returns the batch whose coefficients are `z`, in the same shape."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Pixel(Transform):
    """The pixel basis itself: nothing is transformed."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    def inverse(self, z: Tensor) -> Tensor:
        return z


class DCT(Transform):
    r"""The orthonormal DCT-II along every axis behind the channel axis.

    .. math:: z_k = \sqrt{\tfrac{2 - \delta_k}{n}} \sum_j x_j \cos(\pi k (j + \tfrac12) / n)

    Its basis is even about both borders (half-sample symmetric), so a symmetric convolution of
    the mirrored image is diagonal in it. An axis of up to 128 pixels is one matrix product, a
    longer one an FFT.
    """

    def forward(self, x: Tensor) -> Tensor:
        for axis in range(2, x.ndim):
            if x.shape[axis] <= _LONGEST_MATRIX_AXIS:
                x = along(axis, _dct_matrix(x.shape[axis], x.dtype, x.device), x)
            else:
                x = _dct_by_fft(x.transpose(axis, -1)).transpose(axis, -1)
        return x

    def inverse(self, z: Tensor) -> Tensor:
        for axis in range(2, z.ndim):
            if z.shape[axis] <= _LONGEST_MATRIX_AXIS:
                z = along(axis, _dct_matrix(z.shape[axis], z.dtype, z.device).T, z)
            else:
                z = _inverse_dct_by_fft(z.transpose(axis, -1)).transpose(axis, -1)
        return z


@checked
class ChannelBasis(Transform):
    """An orthonormal basis of the channels, the same at every pixel.

    Arguments:
        basis: A matrix (C, C) whose rows are the basis vectors.

    Raises:
        ValueError: If the rows are not orthonormal, or an image has another number of channels.
    """

    def __init__(self, basis: Tensor) -> None:
        self.basis = check_orthonormal("a channel basis", basis)

    def forward(self, x: Tensor) -> Tensor:
        return self._times(self.basis, x)

    def inverse(self, z: Tensor) -> Tensor:
        return self._times(self.basis.T, z)

    def _times(self, matrix: Tensor, x: Tensor) -> Tensor:
        if x.shape[1] != len(matrix):
            raise ValueError(
                f"The channel basis takes images of {len(matrix)} channels, but got images of "
                f"shape {tuple(x.shape[1:])}."
            )
        return along(1, matrix.to(x), x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChannelBasis) and torch.equal(self.basis, other.basis)

    def __hash__(self) -> int:
        return hash((ChannelBasis, tuple(self.basis.flatten().tolist())))


def check_orthonormal(name: str, basis: Tensor) -> Tensor:
    """Returns a basis; raises a ValueError unless it is square and its rows are orthonormal."""
    basis = as_real(f"The rows of {name}", basis)
    if basis.ndim != 2 or basis.shape[0] != basis.shape[1]:
        raise ValueError(f"{name} must be square, but has shape {tuple(basis.shape)}.")
    unit = torch.eye(len(basis), dtype=basis.dtype, device=basis.device)
    error = (basis @ basis.T - unit).abs().max().item()
    if error > 1e-5:
        raise ValueError(
            f"The rows of {name} must be orthonormal, but miss it by {error:.1e}; orthonormalise "
            "them, for instance with torch.linalg.qr."
        )
    return basis


def along(axis: int, matrix: Tensor, x: Tensor) -> Tensor:
    """Multiplies every line of `x` along `axis` by `matrix`."""
    # Autocast would round the product to bfloat16, and the corruption has to stay exact.
    with torch.autocast(x.device.type, enabled=False):
        if axis == x.ndim - 1:
            return x @ matrix.T
        return (matrix @ x.flatten(axis + 1)).unflatten(-1, x.shape[axis + 1 :])


def _dct_by_fft(x: Tensor) -> Tensor:
    r"""The DCT along the last axis by one real FFT of the same length.

    The even samples followed by the odd ones in reverse have a Fourier transform :math:`V` with
    :math:`w_k V_k = z_k - i z_{n-k}`, :math:`w_k = \sqrt{(2 - \delta_k) / n}\, e^{-i \pi k / 2n}`.
    Source: Makhoul 1980.
    """
    n = x.shape[-1]
    v = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], dim=-1)
    u = torch.fft.rfft(v) * _twiddles(n, x.dtype, x.device)
    return torch.cat([u.real, -u.imag[..., 1 : (n + 1) // 2].flip(-1)], dim=-1)


def _inverse_dct_by_fft(z: Tensor) -> Tensor:
    """Undoes `_dct_by_fft`."""
    n = z.shape[-1]
    mirrored = F.pad(z[..., n - n // 2 :].flip(-1), (1, 0))  # z_{n-k}, and 0 at k = 0
    u = torch.complex(z[..., : n // 2 + 1], -mirrored)
    v = torch.fft.irfft(u / _twiddles(n, z.dtype, z.device), n)
    x = torch.empty_like(v)
    x[..., ::2] = v[..., : (n + 1) // 2]
    x[..., 1::2] = v[..., (n + 1) // 2 :].flip(-1)
    return x


# Constants that are first needed while sampling must still serve training: outside of the
# inference mode they can be part of a graph.
@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _dct_matrix(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    k = torch.arange(n, dtype=torch.float64)[:, None]
    j = torch.arange(n, dtype=torch.float64)[None, :]
    matrix = torch.cos(math.pi * k * (j + 0.5) / n) * math.sqrt(2 / n)
    matrix[0] = math.sqrt(1 / n)
    return matrix.to(dtype=dtype, device=device)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _twiddles(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    angle = torch.arange(n // 2 + 1, dtype=torch.float64) * (-math.pi / (2 * n))
    w = math.sqrt(2 / n) * torch.exp(1j * angle)
    w[0] = math.sqrt(1 / n)
    return w.to(dtype=dtype.to_complex(), device=device)
