"""Linear operators on batches of images, and their algebra."""

from .diagonal import Diagonal
from .matrix import Matrix
from .matrix_free import MatrixFree
from .operator import LinearOperator
from .scale import Scale, identity
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
    "identity",
]
