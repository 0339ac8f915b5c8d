"""The frequencies at which transfer functions are taken."""

import math
from functools import reduce

import torch
from torch import Tensor

__all__ = ["along", "frequencies", "periodic_frequencies", "point_symmetric", "squared_norm"]


def frequencies(z: Tensor) -> list[Tensor]:
    r"""The frequencies of the DCT, :math:`\omega_k = \pi k / n` on each axis of n pixels.

    Returns:
        One tensor an axis behind the channel axis, shaped to multiply `z`.
    """
    return [
        _shaped(math.pi / n * torch.arange(n, dtype=z.dtype, device=z.device), axis, z)
        for axis, n in enumerate(z.shape[2:], start=2)
    ]


def periodic_frequencies(z: Tensor) -> list[Tensor]:
    r"""Those of the Fourier and the Hartley transform, :math:`\omega_k = 2 \pi k / n`.

    They lie in :math:`[-\pi, \pi)`, in the order of `torch.fft.fftfreq`, and are shaped to
    multiply `z`.
    """
    return [
        _shaped(2 * math.pi * torch.fft.fftfreq(n, dtype=z.dtype, device=z.device), axis, z)
        for axis, n in enumerate(z.shape[2:], start=2)
    ]


def squared_norm(omega: list[Tensor]) -> Tensor:
    r"""The squared length :math:`\lVert \omega \rVert^2` of the frequency vectors."""
    return reduce(torch.add, (along_axis**2 for along_axis in omega))


def along(omega: list[Tensor], angle: float) -> Tensor:
    """The part of the frequency vectors along a direction in the plane of the last two axes.

    Arguments:
        omega: The frequencies of each axis.
        angle: The direction in degrees, counter-clockwise from the rows as an image is shown
            (rows count downwards): 0 is horizontal, 90 vertical.

    Raises:
        ValueError: If the images are lines, and the direction is another than theirs.
    """
    if len(omega) == 1 and angle % 180 != 0:
        raise ValueError(
            f"Lines have no direction at {angle:g} degrees; give them the angle 0, or images with "
            "at least two axes."
        )
    part = math.cos(math.radians(angle)) * omega[-1]
    return part if len(omega) == 1 else part - math.sin(math.radians(angle)) * omega[-2]


def point_symmetric(spectrum: Tensor) -> Tensor:
    r"""The mean of :math:`\lambda_k` and :math:`\lambda_{-k}` on a periodic grid.

    An even function of the frequency is even on the grid, too, except at the Nyquist frequency
    of an axis of even length, which is :math:`-\pi` and :math:`\pi` at once. There the mean is
    taken, so that the operator is a convolution.
    """
    axes = tuple(range(2, spectrum.ndim))
    return (spectrum + spectrum.flip(axes).roll((1,) * len(axes), axes)) / 2


def _shaped(values: Tensor, axis: int, z: Tensor) -> Tensor:
    return values.reshape(1, 1, *(len(values) if a == axis else 1 for a in range(2, z.ndim)))
