"""Sets of pictures that are decoded whole, in one size."""

from abc import ABC

from torch import Tensor

from .images import Images, to_float
from .pictures import Pictures

__all__ = ["DecodedImages"]


class DecodedImages(Images, ABC):
    """The images that pictures of one size are.

    Arguments:
        pictures: The pictures, which are resized and cropped to squares, or all have one size.
    """

    def __init__(self, pictures: Pictures) -> None:
        assert pictures.shape is not None
        self.pictures = pictures
        self.name = pictures.name
        self.shape = pictures.shape
        self.labels = pictures.labels
        self.classes = pictures.classes
        self.notes = pictures.notes

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Tensor) -> Tensor:
        return to_float(self.pictures.read(lambda decoded: decoded[indices]))

    def digest(self) -> str:
        return self.pictures.digest() or super().digest()
