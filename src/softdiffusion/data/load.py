"""Opening data by name."""

from pathlib import Path
from typing import Literal

from torch import Tensor

from ..checks import check_count, check_range, shown
from .asked import LARGEST, check_channels, check_size, expanded
from .crops import CropImages
from .digits import DIGITS, load_digits
from .fashion_mnist import DEBIAN_FOLDER, GARMENTS, load_fashion_mnist
from .folder import FolderImages, folder_pictures
from .hub import hub_images, hub_stream
from .images import ArrayImages, Images, to_float
from .order import MEASURED
from .resize import area_average, framed
from .stream import Stream

__all__ = ["load", "open", "open_stream"]

Split = Literal["train", "test"]


def open(
    name: str,
    *,
    split: Split = "train",
    size: int | None = None,
    channels: int | None = None,
    crop: int | None = None,
    crop_scale: float = 1.0,
    cache: str | Path | None = None,
) -> Images:
    """Opens a set of images.

    Arguments:
        name: "digits"; "fashion-mnist", from where Debian's package puts it, or
            "fashion-mnist:PATH", a folder with its four IDX files; "folder:PATH", any folder of
            images; "hub:NAME[:CONFIG][:image=COLUMN][:label=COLUMN]", a data set of Hugging Face's
            Hub or, with a PATH for its name, one in a folder; or "hub-stream:" with the same, of
            whose images these are the first 10,000. A `~` at the start of a PATH is the home
            folder.
        split: "train" or "test". Digits have 1,497 and 300 images, Fashion-MNIST 60,000 and
            10,000; for the splits of a folder see `FolderImages`. A data set of the Hub has train
            and test, validation, valid or val, or every tenth row is held out.
        size: The side in pixels; None keeps what the data have. Digits and Fashion-MNIST are
            shrunk by exact area averages, or get a black frame; pictures are resized and cropped;
            with `crop`, their short side is resized.
        channels: 1 or 3; None keeps what the data have: RGB, if any file of a folder or picture of
            a split of the Hub, or the first of a stream, has colour.
        crop: The side of windows that are drawn from the pictures of a folder or of the Hub, which
            may have any sizes; None takes whole pictures. See `CropImages`.
        crop_scale: The smallest scale of such a window, in (0, 1]: at 1 it shows the picture's own
            pixels, and at 1/2 it is twice as large and resized.
        cache: The folder that decoded pictures of a folder or of the Hub are kept in; None keeps
            them in the user's cache folder, or few small ones in memory; see `FolderImages`. Other
            data are in memory and have none.

    Raises:
        TypeError: If the name is no text, or the size no whole number.
        ValueError: If an argument is unknown or out of range, or data are damaged.
        FileNotFoundError: If files are missing; the message says how to get them.
        ImportError: If the digits are asked for without scikit-learn, or the Hub without datasets.
    """
    size, channels = _checked(name, split, size, channels)
    scale = float(check_range("The crop_scale", crop_scale, 0.0, 1.0))
    if crop is not None:
        crop = check_count("The crop in pixels", crop, 1, LARGEST)
    if scale == 0 or (scale < 1 and crop is None):
        raise ValueError(
            f"A crop_scale of {scale:g} means nothing: it belongs to a crop, and is above 0; leave "
            "it out."
        )
    place = None if cache is None else expanded(cache)
    kind, _, path = name.partition(":")
    if kind == "hub" and path:
        return hub_images(path, split, size, channels, place, crop, scale)
    if kind == "folder" and path:
        if crop is None:
            return FolderImages(expanded(path), split, size, channels, place)
        pictures = folder_pictures(expanded(path), split, size, channels, place, square=False)
        return CropImages(pictures, crop, scale)
    if crop is not None:
        raise ValueError(
            f"Crops are drawn from the pictures of folder:PATH or hub:NAME, not from {name}."
        )
    if kind == "hub-stream" and path:
        return hub_stream(path, split, size, channels).head(MEASURED)
    if name == "digits":
        images, labels = load_digits(split)
        classes = DIGITS
    elif kind == "fashion-mnist":
        images, labels = load_fashion_mnist(expanded(path) if path else DEBIAN_FOLDER, split)
        classes = GARMENTS
    else:
        use = "digits, fashion-mnist, fashion-mnist:PATH, folder:PATH or hub:NAME"
        if name and Path(name).is_dir():
            use = f"folder:{name} for the pictures of that folder"
        raise ValueError(f"Unknown data {name!r}; use {use}.")
    if size is not None and size < images.shape[-1]:
        # A mean of values in [-1, 1] leaves the interval by rounding alone.
        images = area_average(to_float(images), size).clamp(-1, 1)
    elif size is not None and size > images.shape[-1]:
        images = framed(to_float(images), size)
    if channels == 3:
        images = images.expand(-1, 3, -1, -1)
    return ArrayImages(kind, images, labels, classes)


def load(
    name: str,
    *,
    split: Split = "train",
    size: int | None = None,
    channels: int | None = None,
    crop: int | None = None,
    crop_scale: float = 1.0,
    cache: str | Path | None = None,
) -> Tensor:
    """All images of a set as one tensor (N, C, H, W), float32 in [-1, 1].

    The arguments are those of `open`.
    """
    return open(
        name,
        split=split,
        size=size,
        channels=channels,
        crop=crop,
        crop_scale=crop_scale,
        cache=cache,
    ).tensor()


def open_stream(
    name: str,
    *,
    split: Split = "train",
    size: int | None = None,
    channels: int | None = None,
    buffer: int = 1_000,
    seed: int = 0,
) -> Stream:
    """Opens a data set as a stream, which is read as it comes and not kept.

    Arguments:
        name: "hub-stream:NAME[:CONFIG][:image=COLUMN][:label=COLUMN]", a data set of Hugging Face's
            Hub or, with a PATH for its name, one in a folder.
        split, size, channels: As those of `open`; nothing is held out where there is no test split.
        buffer, seed: As those of `Stream`.

    Raises:
        TypeError, ValueError, FileNotFoundError, ImportError: As `open` and `Stream`.
    """
    size, channels = _checked(name, split, size, channels)
    kind, _, path = name.partition(":")
    if kind != "hub-stream" or not path:
        raise ValueError(f"{name!r} is no stream; use hub-stream:NAME.")
    return hub_stream(path, split, size, channels, buffer, seed)


def _checked(
    name: str, split: str, size: int | None, channels: int | None
) -> tuple[int | None, int | None]:
    """Size and channels, once they and the others are what they should be."""
    if not isinstance(name, str):
        raise TypeError(
            f"The name of the data must be a text such as 'folder:PATH', but is {shown(name)}; "
            "images in memory are given as softdiffusion.data.ArrayImages."
        )
    if split not in ("train", "test"):
        raise ValueError(f"The split must be train or test, but is {split!r}.")
    return check_size(size), check_channels(channels)
