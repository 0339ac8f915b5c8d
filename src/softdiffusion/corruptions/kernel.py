"""Blur with a kernel of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..checks import as_array, as_real, check_finite
from ..files import check_regular
from ..operators import (
    DCT,
    Convolution,
    Diagonal,
    Hartley,
    LinearOperator,
    Scale,
    Transform,
)
from ..pictures import read_picture, to_grey
from ..quoting import in_one_line
from .corruption import Corruption
from .frequencies import frequencies, periodic_frequencies

__all__ = ["KernelBlur"]

#: The largest sum of magnitudes; its square is far from the end of float32.
_LARGEST = 1e15

#: The largest kernel that is read from a NumPy file.
_MOST_VALUES = 2**26


class KernelBlur(Corruption):
    r"""The straight line from the identity to the convolution K with any given kernel.

    .. math:: C(\text{severity}) = (1 - \text{severity})\, I + \text{severity}\, K

    All channels are convolved alike. How the image goes on behind its borders follows from the
    kernel's symmetry, up to rounding, so that the operator has a closed form:

    - symmetric along every axis: mirrored about the borders, diagonal in the DCT-II;
    - symmetric about its centre: periodic, diagonal in the Hartley transform;
    - else: periodic, a `Convolution`, which no real transform makes diagonal.

    What is left at severity 1 depends on the kernel. Where its spectrum is negative or not real,
    the closed form of the Wasserstein distance is only an upper bound, and schedules use a
    sampled estimate.

    Arguments:
        kernel: An array with one axis for each axis of the images behind the channel axis, and an
            odd length on each, so that it has a centre: a tensor, nested lists, the path of a NumPy
            file (.npy), all taken as they are, or the path of a picture, of which the grey values
            are divided by their sum; they are those that a viewer shows, on white where the
            picture is transparent, so paint a kernel white on black. It is read once and kept as a
            tensor, so that a saved model does not depend on the file.

    Raises:
        ValueError: If the kernel has an even length or no axis, or is not finite, a file can't be
            read, or an image is black; when applied, if images have another number of axes.
        FileNotFoundError: If there is no such file.
    """

    unit: ClassVar[str] = "share of the way to the kernel"
    max_severity = 1.0

    def __init__(self, kernel: Tensor | Sequence[Any] | str | Path) -> None:
        self.kernel = check_finite("The kernel", _array(kernel))
        even = [n for n in self.kernel.shape if n % 2 == 0]
        if self.kernel.ndim == 0 or even:
            raise ValueError(
                "A kernel needs an odd length on each axis, so that it has a centre, but its shape "
                f"is {tuple(self.kernel.shape)}; pad it with zeros."
            )
        magnitude = float(self.kernel.abs().sum())
        if magnitude > _LARGEST:
            raise ValueError(
                f"The magnitudes of a kernel must add up to at most {_LARGEST:g}, so that images "
                f"stay finite, but add up to {magnitude:g}; divide the kernel by that."
            )
        self.transform = _transform(self.kernel)

    def operator(self, severity: Tensor) -> LinearOperator:
        return Scale(1 - severity) + self._convolution() * severity

    def _convolution(self) -> LinearOperator:
        if self.transform is None:
            return Convolution(lambda x: self._transfer(x, _half(periodic_frequencies(x))))
        grid = frequencies if self.transform == DCT() else periodic_frequencies
        return Diagonal(self.transform, lambda z: self._transfer(z, grid(z)).real)

    def _transfer(self, x: Tensor, omega: list[Tensor]) -> Tensor:
        r"""The sum :math:`\sum_j K_j \exp(-i \omega \cdot j)`, with j counted from the centre."""
        if self.kernel.ndim != len(omega):
            raise ValueError(
                f"A kernel of {self.kernel.ndim} axes does not fit images of shape "
                f"{tuple(x.shape[1:])}, with {len(omega)} axes behind the channel axis."
            )
        result = self.kernel.to(x).to(x.dtype.to_complex())
        for axis, along_axis in enumerate(omega):
            n = self.kernel.shape[axis]
            j = torch.arange(n, dtype=x.dtype, device=x.device) - n // 2
            waves = torch.exp(-1j * along_axis.reshape(-1, 1) * j)
            result = torch.tensordot(result, waves, dims=([0], [1]))
        return result[None, None]


def _array(kernel: Tensor | Sequence[Any] | str | Path) -> Tensor:
    if isinstance(kernel, Tensor):
        return as_real("The kernel", kernel)
    if not isinstance(kernel, str | Path):
        return as_array("The kernel", kernel, torch.float64)
    if Path(kernel).suffix == ".npy":
        return _from_numpy(Path(kernel))
    grey = to_grey(read_picture(kernel, "kernel"))
    if not grey.sum() > 0:
        raise ValueError(f"The kernel {kernel} is black; give an image with a bright kernel.")
    return grey / grey.sum()


def _from_numpy(path: Path) -> Tensor:
    try:
        check_regular(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no kernel {path}; check the path.") from None
    try:
        # Mapped, so that a header is compared with the file's size before anything is allocated.
        values = np.lib.format.open_memmap(path, mode="r")
        reason = f"type {values.dtype}, {values.size:,} values"
        if values.dtype.kind in "biuf" and values.size <= _MOST_VALUES:
            return torch.from_numpy(np.array(values, np.float64))
    except Exception as error:  # NumPy raises anything on damaged headers
        reason = in_one_line(error)
    raise ValueError(
        f"The kernel {in_one_line(path)} is no array of numbers in NumPy's format, real and at "
        f"most {_MOST_VALUES:,} ({reason}); give another file."
    )


def _transform(kernel: Tensor) -> Transform | None:
    rounding = torch.finfo(kernel.dtype).eps * kernel.abs().max()
    axes = tuple(range(kernel.ndim))
    if all((kernel - kernel.flip(axis)).abs().max() <= rounding for axis in axes):
        return DCT()
    return Hartley() if (kernel - kernel.flip(axes)).abs().max() <= rounding else None


def _half(omega: list[Tensor]) -> list[Tensor]:
    """The frequencies that `rfftn` stores, out of those of `fftn`."""
    n = omega[-1].shape[-1]
    return [*omega[:-1], omega[-1][..., : n // 2 + 1]]
