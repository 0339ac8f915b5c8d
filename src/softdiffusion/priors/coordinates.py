"""The coordinates in which corrupted images are looked at."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..operators import Diagonal, LinearOperator

__all__ = ["Coordinates", "coordinates_of"]

#: Images of up to so many numbers are looked at pixel by pixel.
_SMALL = 1024

#: How far leaving coefficients out may move a corrupted image in [-1, 1], in the Euclidean norm:
#: half a unit in the last place of single precision.
_ROUNDING = 2.0**-24


class Coordinates(ABC):
    """An orthonormal system for the images that an operator makes.

    Attributes:
        size: The number of coordinates K.
    """

    size: int

    @abstractmethod
    def of_corrupted(self, x: Tensor) -> Tensor:
        """The coordinates of the corrupted images, (B, K), in double precision."""

    @abstractmethod
    def images(self, z: Tensor) -> Tensor:
        """The images with these coordinates, (B, C, ...)."""


class _Pixels(Coordinates):
    """The pixels themselves."""

    def __init__(self, operator: LinearOperator, shape: torch.Size) -> None:
        self.operator = operator
        self.shape = shape
        self.size = shape.numel()

    def of_corrupted(self, x: Tensor) -> Tensor:
        return self.operator(x.double()).flatten(1)

    def images(self, z: Tensor) -> Tensor:
        return z.reshape(-1, *self.shape)


class _Coefficients(Coordinates):
    r"""The coefficients that the operator does not suppress.

    With :math:`A = T^{-1} \operatorname{diag}(\lambda) T` and T orthonormal, leaving out those
    with :math:`|\lambda_j| \le \lambda` moves :math:`A x` by at most :math:`\lambda \lVert x
    \rVert \le \lambda \sqrt n` in the Euclidean norm, for an image of n numbers in [-1, 1]. That
    is kept below the rounding of single precision, so that neither mean nor covariance can tell.
    """

    def __init__(self, operator: Diagonal, shape: torch.Size) -> None:
        self.transform = operator.transform
        self.shape = shape
        like = torch.zeros(1, *shape, dtype=torch.float64)
        diagonal = operator.diagonal(like).expand_as(like).flatten()
        self.kept = (diagonal.abs() > _ROUNDING / shape.numel() ** 0.5).nonzero()[:, 0]
        self.diagonal = diagonal[self.kept]
        self.size = len(self.kept)

    def of_corrupted(self, x: Tensor) -> Tensor:
        z = self.transform.forward(x).flatten(1)
        return z[:, self.kept].double() * self.diagonal

    def images(self, z: Tensor) -> Tensor:
        whole = torch.zeros(len(z), self.shape.numel(), dtype=z.dtype)
        whole[:, self.kept] = z
        return self.transform.inverse(whole.reshape(-1, *self.shape))


def coordinates_of(operator: LinearOperator, shape: torch.Size) -> Coordinates:
    """The fewest coordinates in which the images of an operator are exact up to rounding."""
    if isinstance(operator, Diagonal) and shape.numel() > _SMALL:
        return _Coefficients(operator, shape)
    return _Pixels(operator, shape)
