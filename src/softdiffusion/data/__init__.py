"""Data: digits, Fashion-MNIST and folders of images, in an order that can be resumed."""

from .files import read_images
from .images import ArrayImages, Images
from .load import load, open
from .order import DataOrder, measured

__all__ = ["ArrayImages", "DataOrder", "Images", "load", "measured", "open", "read_images"]
