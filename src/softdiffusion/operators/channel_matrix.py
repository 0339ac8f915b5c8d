"""Operators that mix the channels of every pixel."""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import as_real, check_batch, per_sample, shown
from .operator import LinearOperator
from .scale import Scale

__all__ = ["ChannelMatrix"]


@checked
class ChannelMatrix(LinearOperator):
    r"""The same matrix at every pixel: :math:`y_{c,p} = \sum_d M_{cd}\, x_{d,p}`.

    Arguments:
        matrix: The matrix (K, C) from C channels to K, or one a sample, (B, K, C).

    Raises:
        ValueError: If it is no matrix of real numbers; when called, if an image has another number
            of channels.
    """

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = as_real("The matrix of the channels", matrix)
        if matrix.ndim not in (2, 3):
            raise ValueError(
                f"The matrix of the channels must be (K, C) or (B, K, C), not {shown(matrix)}."
            )

    def __call__(self, x: Tensor) -> Tensor:
        channels = self.matrix.shape[-1]
        if x.shape[1] != channels:
            raise ValueError(
                f"The matrix takes images of {channels} channels, but got images of shape "
                f"{tuple(x.shape[1:])}."
            )
        check_batch(len(self._batch), len(x))
        dtype = torch.promote_types(x.dtype, torch.float32)
        matrix = self.matrix.to(dtype=dtype, device=x.device)
        with torch.autocast(x.device.type, enabled=False):
            y = matrix @ x.to(dtype).flatten(2)
        return y.unflatten(2, x.shape[2:]).to(x.dtype)

    @property
    def T(self) -> LinearOperator:
        return ChannelMatrix(self.matrix.mT)

    def pinverse(self, rtol: float | None = None) -> LinearOperator:
        wide = self.matrix.to(torch.promote_types(self.matrix.dtype, torch.float32))
        return ChannelMatrix(torch.linalg.pinv(wide, rtol=rtol))

    def _plus(self, other: LinearOperator) -> LinearOperator | None:
        if isinstance(other, ChannelMatrix):
            return ChannelMatrix(self.matrix + other.matrix)
        if isinstance(other, Scale) and self.matrix.shape[-1] == self.matrix.shape[-2]:
            unit = torch.eye(self.matrix.shape[-1]).to(self.matrix)
            return ChannelMatrix(self.matrix + per_sample(other.factor, unit[None]) * unit)
        return None

    def _times(self, other: LinearOperator) -> LinearOperator | None:
        if isinstance(other, ChannelMatrix):
            dtype = torch.promote_types(self.matrix.dtype, other.matrix.dtype)
            return ChannelMatrix(self.matrix.to(dtype) @ other.matrix.to(dtype))
        return self._after(other)

    def _after(self, other: LinearOperator) -> LinearOperator | None:
        if isinstance(other, Scale):
            return ChannelMatrix(per_sample(other.factor, self._batch) * self.matrix)
        return None

    @property
    def _batch(self) -> Tensor:
        """The matrices as a batch (B, K, C)."""
        return self.matrix.reshape(-1, *self.matrix.shape[-2:])
