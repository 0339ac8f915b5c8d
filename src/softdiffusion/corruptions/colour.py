"""Colour."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import as_array, check_count, per_sample
from ..operators import DCT, ChannelBasis, ChannelMatrix, Diagonal, LinearOperator
from .corruption import Corruption
from .matrix import check_square, line_to, symmetric_spectrum

__all__ = ["ChannelMixing", "Greyscale"]


@checked
class Greyscale(Corruption):
    r"""Colours fade to grey; the severity is the share of the colour that is gone.

    .. math:: C = (1 - \text{severity})\, I + \text{severity}\, u u^\top,
        \qquad u = (1, \dots, 1) / \sqrt{C}

    on the channels of every pixel. At severity 1 exactly the grey image is left, the mean of the
    channels in each of them. The mean is not weighted: the only symmetric projection onto grey
    images is the orthogonal one. For luminance weights w, which makes the projection oblique, use
    `ChannelMixing` with a matrix whose rows are all w.

    Arguments:
        channels: The number of channels.

    Raises:
        ValueError: If there is no channel or, when called, the images have another number.
    """

    unit: ClassVar[str] = "share of the colour that is gone"
    max_severity = 1.0
    transform: ChannelBasis

    def __init__(self, channels: int = 3) -> None:
        if channels < 1:
            raise ValueError(f"Images have at least one channel, not {channels}.")
        self.channels = check_count("The number of channels", channels, 1, 1024)
        # The DCT along the channels, whose first basis vector is the grey axis.
        unit = torch.eye(channels, dtype=torch.float64)[:, None]
        self.transform = ChannelBasis(DCT().forward(unit)[:, 0].T)

    def operator(self, severity: Tensor) -> LinearOperator:
        def symbol(z: Tensor) -> Tensor:
            colour = (torch.arange(z.shape[1], device=z.device) > 0).to(z)
            return 1 - per_sample(severity, z) * colour.reshape(1, -1, *(1,) * (z.ndim - 2))

        return Diagonal(self.transform, symbol)


@checked
class ChannelMixing(Corruption):
    r"""The straight line from the identity to a matrix on the channels of every pixel.

    .. math:: C = (1 - \text{severity})\, I + \text{severity}\, M

    At severity 1 exactly `M x` is left. If M is symmetric, up to rounding, the family is diagonal
    in its eigenvectors, :math:`\lambda_k = 1 - \text{severity} + \text{severity}\, \mu_k`, and
    schedules, priors and samplers take their closed forms.

    Arguments:
        matrix: The matrix M, (C, C), a tensor or nested lists.

    Raises:
        ValueError: If the matrix is not square or not finite or, when called, the images have
            another number of channels.
    """

    unit: ClassVar[str] = "share of the way to the matrix"
    max_severity = 1.0
    transform: ChannelBasis | None = None

    def __init__(self, matrix: Sequence[Sequence[float]] | Tensor) -> None:
        name = "The matrix of the channels"
        dtype = matrix.dtype if isinstance(matrix, Tensor) else torch.get_default_dtype()
        self.matrix = check_square(name, as_array(name, matrix, dtype))
        if spectrum := symmetric_spectrum(self.matrix):
            self.eigenvalues, vectors = spectrum
            self.transform = ChannelBasis(vectors)

    def operator(self, severity: Tensor) -> LinearOperator:
        if self.transform is None:
            return ChannelMatrix(line_to(self.matrix, severity))

        def symbol(z: Tensor) -> Tensor:
            share = per_sample(severity, z)
            values = self.eigenvalues.to(z).reshape(1, -1, *(1,) * (z.ndim - 2))
            return 1 - share + share * values

        return Diagonal(self.transform, symbol)
