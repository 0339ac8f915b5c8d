"""Linear operators on batches of images, and their algebra."""

from .basis import Basis
from .channel_matrix import ChannelMatrix
from .convolution import Convolution
from .diagonal import Diagonal
from .haar import Haar
from .hartley import Hartley
from .matrix import Matrix
from .matrix_free import MatrixFree
from .operator import LinearOperator
from .physics import from_physics
from .random_basis import RandomBasis
from .scale import Scale, identity
from .systems import conjugate_gradients, solve
from .transforms import DCT, ChannelBasis, Pixel, Transform

__all__ = [
    "DCT",
    "Basis",
    "ChannelBasis",
    "ChannelMatrix",
    "Convolution",
    "Diagonal",
    "Haar",
    "Hartley",
    "LinearOperator",
    "Matrix",
    "MatrixFree",
    "Pixel",
    "RandomBasis",
    "Scale",
    "Transform",
    "conjugate_gradients",
    "from_physics",
    "identity",
    "solve",
]
