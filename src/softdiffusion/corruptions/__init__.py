"""Families of linear corruptions, ordered by severity."""

from .blur import GaussianBlur
from .composition import Composition
from .corruption import Corruption
from .mask import FadingMask
from .matrix import MatrixFamily
from .scaling import Identity, Scaling

__all__ = [
    "Composition",
    "Corruption",
    "FadingMask",
    "GaussianBlur",
    "Identity",
    "MatrixFamily",
    "Scaling",
]
