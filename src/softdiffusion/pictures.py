"""One reader of pictures: what a viewer shows, on white where a picture is transparent.

Folders, inputs and originals of restorations, masks and kernels are all read here, so that one file
means the same everywhere. The formats are a list of its own, whatever a file is called: some others
are opened by running programs (EPS starts Ghostscript).
"""

from __future__ import annotations

import functools
import importlib
import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .files import check_regular
from .quoting import in_one_line

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["as_seen", "is_grey", "read_picture", "suffixes", "to_grey", "to_pixels"]

#: The formats that are read, as far as the installed Pillow has them; HEIF comes by a plugin.
_FORMATS = ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "QOI", "HEIF"]

#: Pillow's plugins for HEIF, the format of many phones; any of them serves.
_HEIF_PLUGINS = ("pillow_heif", "pi_heif")

#: The largest picture; Pillow itself refuses more, unless its own limit was changed.
_MOST_PIXELS = 178_956_970

#: The largest file; the largest picture with 16 bits in three channels fits in.
_MOST_BYTES = 2**30

#: The tag of EXIF and TIFF that says how a picture is held, and TIFF's tags of samples.
_ORIENTATION, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 274, 258, 262, 339

#: The steps of a PNG's grey values with fewer than 8 bits, by Pillow's name for their layout.
_STEPS = {"L;2": 85, "L;4": 17}

_standard_error = threading.Lock()


def read_picture(path: str | Path | bytes, holds: str = "image") -> np.ndarray:
    """What a viewer shows of a picture: uint8 or, for grey of 16 bits, uint16, (H, W, C).

    It is upright (EXIF, XMP and TIFF orientation; a damaged EXIF block counts as none),
    transparent parts show white, an animation gives its first frame, and palettes, CMYK, YCbCr and
    Lab are converted to RGB. Grey pictures (also by their palette) have one channel, all others
    three. Colour of 16 bits is cut to 8. Colour profiles are not applied: values count as sRGB.

    Arguments:
        path: The file, what it is called does not matter; or its content, as bytes.
        holds: What it holds, for the messages, in which content has no other name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, no picture of a known format, damaged, larger than
            178,956,970 pixels or 1 GiB, or has 32 bits a value; the message names it in one line.
    """
    with _opened(path, holds) as image:
        return _seen(image, path)


def as_seen(image: Image.Image, holds: str = "image") -> np.ndarray:
    """What a viewer shows of one of Pillow's images, as `read_picture` would of its file.

    Raises:
        ValueError: If it can't be decoded, or has 32 bits a value.
    """
    with _refused(holds):
        return _seen(image, b"")


def is_grey(path: str | Path | bytes, holds: str = "image") -> bool:
    """Whether a picture has no colour, by the file's header alone.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the header can't be read.
    """
    with _opened(path, holds) as image:
        return _grey(image, _layout(image))


def to_pixels(
    picture: np.ndarray, channels: int, size: int | None = None, square: bool = True
) -> Tensor:
    """A picture in the channels and the size that are asked for, uint8 (C, H, W).

    Arguments:
        picture: The picture, uint8 or uint16, (H, W, 1) or (H, W, 3).
        channels: 1 for grey (ITU-R 601), 3 for RGB.
        size: The short side is resized to this many pixels (Lanczos, antialiased); None keeps the
            size.
        square: Whether the centre of what is resized is cropped to a square.
    """
    from PIL import Image, ImageOps

    if picture.dtype == np.uint16:
        picture = (picture / 257).round().astype(np.uint8)
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and square:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    elif size is not None:
        short = min(image.size)
        width, height = (round(side * size / short) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.array(image).reshape(image.height, image.width, channels)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def to_grey(picture: np.ndarray) -> Tensor:
    """The grey values of a picture from 0 (black) to 1 (white), float64 (H, W), in full depth."""
    if picture.dtype == np.uint16:
        return torch.from_numpy(picture[..., 0] / 65535)
    return to_pixels(picture, channels=1)[0].double() / 255


@functools.cache
def suffixes() -> frozenset[str]:
    """The suffixes of the files that can be read here, in small letters with their dots."""
    from PIL import Image

    formats = {*_formats(), "MPO"}  # JPEG with more pictures behind, which Pillow tells apart
    known = {suffix for suffix, name in Image.registered_extensions().items() if name in formats}
    return frozenset(known - {".pfm"})  # has 32 bits a value


@functools.cache
def _formats() -> tuple[str, ...]:
    """The names of the formats that the installed Pillow and its plugins read."""
    from PIL import Image

    Image.init()
    for plugin in _HEIF_PLUGINS:
        try:
            importlib.import_module(plugin).register_heif_opener()
            break
        except ImportError:
            continue
    # Without a handler of the user's, Python would print what Pillow logs on damaged files.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@contextmanager
def _opened(path: str | Path | bytes, holds: str) -> Iterator[Image.Image]:
    """Opens a picture; whatever goes wrong until the end of the block names the file."""
    from PIL import Image

    name = holds
    if not isinstance(path, bytes):
        name = f"{holds} {in_one_line(path)}"
        try:
            check_regular(Path(path))
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no {name}; check the path.") from None
        except ValueError as error:  # a folder, a pipe
            raise ValueError(f"The {holds} {error}") from None
    formats = _formats()
    with _refused(name):
        _check_bytes(path)
        # By its name Pillow would map a file into memory, and TIFFs that lie on their side come out
        # with rows and columns confused.
        with _content(path) as file, Image.open(file, formats=formats) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise Image.DecompressionBombError
            yield image


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Makes one sentence, with the name of a picture, of whatever goes wrong in the block."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    # Pillow's readers raise anything on damaged files: TypeError, struct.error, KeyError, ...
    except Exception as error:
        reason = " ".join(in_one_line(error).split()) or type(error).__name__
        if isinstance(error, Image.DecompressionBombError):
            reason = f"it has more than {_MOST_PIXELS:,} pixels"
        elif isinstance(error, UnidentifiedImageError):
            reason = f"it is not of the formats {', '.join(_formats())}, or damaged"
        raise ValueError(
            f"The {name} can't be read ({reason}); give another file, or remove it."
        ) from None


def _content(path: str | Path | bytes) -> IO[bytes]:
    return io.BytesIO(path) if isinstance(path, bytes) else Path(path).open("rb")


def _check_bytes(path: str | Path | bytes) -> None:
    count = len(path) if isinstance(path, bytes) else Path(path).stat().st_size
    if count > _MOST_BYTES:
        raise ValueError(f"it has {count:,} bytes, more than {_MOST_BYTES:,}")


def _seen(image: Image.Image, path: str | Path | bytes) -> np.ndarray:
    """What a viewer shows of an image that was opened from there."""
    layout = _layout(image)
    grey = _grey(image, layout)
    _load(image)
    pixels = _deep(image) if image.mode.startswith("I") else _opaque(path, image, layout, grey)
    return np.ascontiguousarray(_upright(pixels, _orientation(image)))


def _load(image: Image.Image) -> None:
    """Decodes a picture, without the words that libtiff writes to the standard error by itself."""
    with _quiet() if image.format == "TIFF" else nullcontext():
        image.load()


@contextmanager
def _quiet() -> Iterator[None]:
    if sys.stderr is None:  # it was closed from the start, and its number may be the picture's
        yield
        return
    with _standard_error:  # there is one, so two threads must not exchange it at once
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _layout(image: Image.Image) -> str:
    """Pillow's name for how the values lie in the file; known until they are decoded."""
    tile = getattr(image, "tile", None)
    return str(tile[0][3]) if tile else ""


def _grey(image: Image.Image, layout: str) -> bool:
    if image.mode in ("P", "PA"):
        return _grey_palette(image)
    # Pillow has no mode for grey of 16 bits with alpha, and makes colour of it.
    return image.mode in ("1", "L", "LA", "La", "I", "F") or layout == "LA;16B" or _16_bits(image)


def _grey_palette(image: Image.Image) -> bool:
    from PIL import Image

    if image.palette is None:
        return False
    layout, entries = image.palette.getdata()
    probe = Image.new("P", (1, 1))
    probe.putpalette(entries, layout)
    colours = np.array(probe.getpalette("RGB")).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _16_bits(image: Image.Image) -> bool:
    # Where Pillow has no mode for them, it keeps 16 bits in 32.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _deep(image: Image.Image) -> np.ndarray:
    """Grey of 16 bits, black for 0, (H, W, 1)."""
    if not _16_bits(image):
        raise _no_range(32)
    values = np.asarray(image).astype(np.uint16)
    tags = _tags(image)
    if tags.get(_BITS) == (12,):
        values = (values * (65535 / 4095)).round().astype(np.uint16)
    if tags.get(_PHOTOMETRIC) == 0:  # white for 0; Pillow minds it up to 8 bits
        values = 65535 - values
    key = image.info.get("transparency")
    if key is not None:
        values[values == key] = 65535
    return values[..., None]


def _opaque(path: str | Path | bytes, image: Image.Image, layout: str, grey: bool) -> np.ndarray:
    """A picture of up to 8 bits on white, (H, W, 1) or (H, W, 3)."""
    if image.mode == "F":
        raise _no_range(32)
    if _tags(image).get(_SAMPLE_FORMAT, (1,))[0] == 2:
        raise ValueError("its values have a sign, and so no fixed range; save it without")
    key = image.info.get("transparency")
    if image.mode in ("1", "L", "RGB") and key is not None:
        return _without_key(path, image, layout, key)
    return _in_channels(_on_white(image) if image.has_transparency_data else image, grey)


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode == "La":
        image = image.convert("LA")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _in_channels(image: Image.Image, grey: bool) -> np.ndarray:
    if image.mode == "LAB":
        image = _lab_to_rgb(image)
    pixels = np.array(image.convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    exact = ImageCms.Flags.NOOPTIMIZE  # not by a table with steps of its own
    converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB", flags=exact)
    assert converted is not None  # it would be None only where the input is changed in place
    return converted


def _without_key(
    path: str | Path | bytes, image: Image.Image, layout: str, key: int | tuple[int, ...]
) -> np.ndarray:
    """A picture of which one colour, the key in the values of the file, is transparent."""
    grey = image.mode != "RGB"
    pixels = _in_channels(image, grey)
    if layout.endswith(";16B"):  # Pillow keeps the upper halves, but the lower ones count, too
        lower = _in_channels(_decoded_as(path, layout[:-1] + "L"), grey)
        values = pixels * np.uint16(256) + lower
    else:
        values = pixels
        key = tuple(np.atleast_1d(key) * _STEPS.get(layout, 1) & 255)
    pixels[(values == key).all(axis=2)] = 255
    return pixels


def _decoded_as(path: str | Path | bytes, layout: str) -> Image.Image:
    """The values of a PNG file decoded once more, in another layout of as many bits."""
    from PIL import Image

    with _content(path) as file:
        again: Any = Image.open(file, formats=["PNG"])
        again.tile = [(*again.tile[0][:3], layout)]
        again.load()
        return again


def _tags(image: Image.Image) -> Any:
    """The tags of a TIFF file; no other has them."""
    return getattr(image, "tag_v2", {})


def _no_range(bits: int) -> ValueError:
    return ValueError(
        f"it has {bits} bits a pixel and no fixed range of values; save it with 8 or 16 bits"
    )


def _orientation(image: Image.Image) -> Any:
    """How the picture is held, 1 to 8; what can't be understood is 1, upright, as for viewers."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged block can raise anything, and the picture is none the worse
        return 1


def _upright(pixels: np.ndarray, orientation: Any) -> np.ndarray:
    """Turns and mirrors a picture by EXIF's orientation, the place of its first row and column."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
