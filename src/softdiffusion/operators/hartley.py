"""The Hartley transform."""

import torch
from torch import Tensor

from ..checks import check_real
from .transforms import Transform

__all__ = ["Hartley"]


class Hartley(Transform):
    r"""The orthonormal discrete Hartley transform over all axes behind the channel axis.

    .. math:: z_k = \frac{1}{\sqrt N} \sum_j x_j
        \left( \cos(\omega_k \cdot j) + \sin(\omega_k \cdot j) \right)
        = \operatorname{Re} F_k - \operatorname{Im} F_k

    with :math:`\omega_k = 2 \pi k / n` on each axis of n pixels, N pixels in all, and F the
    orthonormal Fourier transform, whose order of frequencies it keeps. It is real and its own
    inverse. A periodic convolution with a kernel that is symmetric about its centre is diagonal in
    it: the transfer function is real and even, and multiplies :math:`z_k`. (The product of
    transforms along each axis would not do that; its diagonal operators are no convolutions.)

    Source: Bracewell 1983, Discrete Hartley transform.
    """

    def forward(self, x: Tensor) -> Tensor:
        check_real("The images of a Hartley transform", x)
        axes = tuple(range(2, x.ndim))
        z = torch.fft.fftn(x, dim=axes, norm="ortho")
        return z.real - z.imag

    def inverse(self, z: Tensor) -> Tensor:
        return self.forward(z)
