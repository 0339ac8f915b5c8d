"""The labels that a network with classes is told."""

from torch import Tensor

from ..checks import check_labels
from ..data import Images, Stream

__all__ = ["labels_of", "names_of"]


def labels_of(data: Images | Stream, classes: int) -> Tensor | None:
    """The class of every image, if the denoiser wants to know and they do not come as a stream.

    Raises:
        ValueError: If the data have no labels, or others than the denoiser has classes for.
    """
    if not classes:
        return None
    labelled = data.labelled if isinstance(data, Stream) else data.labels is not None
    if not labelled:
        raise ValueError(
            f"The network has {classes} classes, but the data have no labels; use data with "
            "labels, such as a folder with one subfolder a class, or a network with classes = 0."
        )
    if isinstance(data, Stream):
        return None
    return check_labels(data.labels, classes, len(data))


def names_of(data: Images | Stream, classes: int) -> tuple[str, ...] | None:
    """The names of the classes, if the denoiser wants to know the classes and they have names."""
    return data.classes if classes else None
