"""Orthonormal transforms in which families of operators become diagonal."""

import functools
import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

__all__ = ["DCT", "ChannelBasis", "Pixel", "Transform"]


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
    the mirrored image is diagonal in it. Every axis is one matrix product, which at image sizes
    is faster than an FFT; `benchmarks/` measures where that ends.
    """

    def forward(self, x: Tensor) -> Tensor:
        for axis in range(2, x.ndim):
            x = _along(axis, _dct_matrix(x.shape[axis], x.dtype, x.device), x)
        return x

    def inverse(self, z: Tensor) -> Tensor:
        for axis in range(2, z.ndim):
            z = _along(axis, _dct_matrix(z.shape[axis], z.dtype, z.device).T, z)
        return z


class ChannelBasis(Transform):
    """An orthonormal basis of the channels, the same at every pixel.

    Arguments:
        basis: A matrix (C, C) whose rows are the basis vectors.

    Raises:
        ValueError: If the rows are not orthonormal.
    """

    def __init__(self, basis: Tensor) -> None:
        error = (basis @ basis.T - torch.eye(len(basis), dtype=basis.dtype)).abs().max().item()
        if error > 1e-5:
            raise ValueError(
                f"The rows of a channel basis must be orthonormal, but miss it by {error:.1e}; "
                "orthonormalise them, for instance with torch.linalg.qr."
            )
        self.basis = basis

    def forward(self, x: Tensor) -> Tensor:
        return _along(1, self.basis.to(x), x)

    def inverse(self, z: Tensor) -> Tensor:
        return _along(1, self.basis.to(z).T, z)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChannelBasis) and torch.equal(self.basis, other.basis)

    def __hash__(self) -> int:
        return hash((ChannelBasis, tuple(self.basis.flatten().tolist())))


def _along(axis: int, matrix: Tensor, x: Tensor) -> Tensor:
    """Multiplies every line of `x` along `axis` by `matrix`."""
    # Autocast would round the product to bfloat16, and the corruption has to stay exact.
    with torch.autocast(x.device.type, enabled=False):
        if axis == x.ndim - 1:
            return x @ matrix.T
        if axis == x.ndim - 2:
            return matrix @ x
        return (x.transpose(axis, -1) @ matrix.T).transpose(axis, -1)


@functools.lru_cache(maxsize=64)
def _dct_matrix(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    k = torch.arange(n, dtype=torch.float64)[:, None]
    j = torch.arange(n, dtype=torch.float64)[None, :]
    matrix = torch.cos(math.pi * k * (j + 0.5) / n) * math.sqrt(2 / n)
    matrix[0] = math.sqrt(1 / n)
    return matrix.to(dtype=dtype, device=device)
