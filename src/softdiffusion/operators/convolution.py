"""Periodic convolutions."""

from collections.abc import Callable
from typing import TypeGuard

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import check_batch, check_real
from .operator import LinearOperator
from .scale import Scale

__all__ = ["Convolution"]

#: The transfer function for the images x that it is shown, at the frequencies of `rfftn`. Only
#: their shape, dtype and device are read.
Transfer = Callable[[Tensor], Tensor]


@checked
class Convolution(LinearOperator):
    r"""A convolution of the periodically continued image, given by its transfer function.

    .. math:: A = F^{-1} \operatorname{diag}(H)\, F

    with F the Fourier transform over all axes behind the channel axis. The kernel is real, so that
    :math:`H_{-k} = \overline{H_k}`, and half of the frequencies tell all. Sums, differences,
    multiples and products of convolutions are convolutions; so are those with multiples of the
    identity. Where the kernel is symmetric about its centre, `Diagonal(Hartley(), H)` is the same
    operator with a real diagonal, for which there are more closed forms; the two do not merge,
    since not everything diagonal in the Hartley transform is a convolution.

    Arguments:
        transfer: Gives H for the images x that it is shown, complex, at the frequencies of
            `torch.fft.rfftn` over the axes behind the channel axis; the result broadcasts against
            theirs, and a first axis of length B means one operator a sample. It must be that of
            a real kernel also where k and -k are both stored, or the algebra does not hold.
    """

    def __init__(self, transfer: Transfer) -> None:
        self.transfer = transfer

    def __call__(self, x: Tensor) -> Tensor:
        check_real("The images of a convolution", x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        axes = tuple(range(2, x.ndim))
        z = torch.fft.rfftn(wide, dim=axes)
        return torch.fft.irfftn(self.diagonal(wide) * z, s=x.shape[2:], dim=axes).to(x.dtype)

    def diagonal(self, x: Tensor) -> Tensor:
        """Returns H, shaped to multiply the Fourier transform of the images `x`.

        Raises:
            ValueError: If the operator is for another number of samples than `x` holds.
        """
        transfer = self.transfer(x)
        check_batch(len(transfer), len(x))
        return transfer

    @property
    def T(self) -> LinearOperator:
        return Convolution(lambda x: self.transfer(x).conj())

    def pinverse(self, rtol: float | None = None) -> LinearOperator:
        def inverse(x: Tensor) -> Tensor:
            h = self.transfer(x)
            cut = x[0].numel() * torch.finfo(h.dtype).eps if rtol is None else rtol
            largest = h.abs().amax(dim=tuple(range(1, h.ndim)), keepdim=True)
            return torch.where(h.abs() > cut * largest, 1 / h, 0.0)

        return Convolution(inverse)

    def sqrt(self, rounding: float = 0.0) -> LinearOperator:
        def root(x: Tensor) -> Tensor:
            h = self.transfer(x)
            own = x[0].numel() * torch.finfo(h.dtype).eps * h.abs().max()
            if h.imag.abs().max() > own + rounding or h.real.min() < -own - rounding:
                raise ValueError(
                    "A square root needs a real transfer function >= 0, but its imaginary part "
                    f"reaches {h.imag.abs().max():g} and its real part {h.real.min():g}."
                )
            return h.real.clamp(min=0).sqrt().to(h.dtype)

        return Convolution(root)

    def _plus(self, other: LinearOperator) -> LinearOperator | None:
        if _merges(other):
            return Convolution(lambda x: self.transfer(x) + other.diagonal(x))
        return None

    def _times(self, other: LinearOperator) -> LinearOperator | None:
        if _merges(other):
            return Convolution(lambda x: self.transfer(x) * other.diagonal(x))
        return None

    _after = _times  # convolutions commute


def _merges(other: LinearOperator) -> "TypeGuard[Convolution | Scale]":
    return isinstance(other, Convolution | Scale)
