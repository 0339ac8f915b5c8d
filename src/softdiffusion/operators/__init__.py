"""Linear operators on batches of images, and their algebra."""

from .diagonal import Diagonal
from .matrix import Matrix
from .matrix_free import MatrixFree
from .operator import LinearOperator
from .scale import Scale, identity
from .solve import conjugate_gradients, solve
from .transforms import DCT, ChannelBasis, Pixel, Transform

__all__ = [
    "DCT",
    "ChannelBasis",
    "Diagonal",
    "LinearOperator",
    "Matrix",
    "MatrixFree",
    "Pixel",
    "Scale",
    "Transform",
    "conjugate_gradients",
    "identity",
    "solve",
]
