"""Data: digits, Fashion-MNIST and folders of images, in an order that can be resumed."""

from .files import image_files, read_images
from .images import ArrayImages, Images, as_set
from .load import load, open
from .order import DataOrder, measured
from .part import Part
from .source import Source

__all__ = [
    "ArrayImages",
    "DataOrder",
    "Images",
    "Part",
    "Source",
    "as_set",
    "image_files",
    "load",
    "measured",
    "open",
    "read_images",
]
