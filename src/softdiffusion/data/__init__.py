"""Data: by name or given in Python, in an order that can be resumed."""

from .dataset import DatasetImages
from .files import image_files, read_images
from .given import SetLike, as_set
from .hub import HubImages
from .images import ArrayImages, Images
from .load import load, open, open_stream
from .order import DataOrder, measured
from .part import Part
from .source import Source
from .stream import Stream

__all__ = [
    "ArrayImages",
    "DataOrder",
    "DatasetImages",
    "HubImages",
    "Images",
    "Part",
    "SetLike",
    "Source",
    "Stream",
    "as_set",
    "image_files",
    "load",
    "measured",
    "open",
    "open_stream",
    "read_images",
]
