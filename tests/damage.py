"""Pictures that are damaged at random, and what may come of it."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from softdiffusion.pictures import is_grey, read_picture, to_grey, to_pixels
from tests.encoders import Sample, bmps, coded, netpbms, pngs, tiffs

__all__ = ["CORPUS", "check", "damaged"]


def _rich() -> list[Sample]:
    """Files with the blocks that readers stumble over: EXIF with many tags, XMP, profiles, text."""
    from PIL.ImageCms import ImageCmsProfile, createProfile
    from PIL.PngImagePlugin import PngInfo

    rgb = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    tags = Image.Exif()
    tags[274], tags[282], tags[271] = 6, 72.5, "a maker"
    tags.get_ifd(0x8769)[36867] = "2026:01:01 00:00:00"
    text = PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n 8\n" + "45786966" * 2)
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="3"/>')
    profile = ImageCmsProfile(createProfile("sRGB")).tobytes()
    found = []
    for form, suffix, options in (
        ("JPEG", "jpg", {"exif": tags.tobytes(), "progressive": True, "comment": b"words"}),
        ("PNG", "png", {"exif": tags.tobytes(), "pnginfo": text}),
        ("TIFF", "tif", {"compression": "tiff_lzw"}),
        ("TIFF", "tiff", {"compression": "jpeg"}),
        ("WEBP", "webp", {"exif": tags.tobytes(), "xmp": b'<x tiff:Orientation="3"/>'}),
        ("GIF", "gif", {"save_all": True, "append_images": [Image.fromarray(rgb[::-1].copy())]}),
    ):
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, form, icc_profile=profile, **options)
        found.append(Sample(f"rich.{suffix}", file.getvalue(), rgb))
    return found


#: One file and more of every format, depth and colour.
CORPUS = [
    *pngs(0, 6),
    *tiffs(0, 8),
    *tiffs(1, 3),
    *netpbms(0),
    *bmps(0),
    *coded(0, 1),
    *coded(0, 5),
    *_rich(),
]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with one damage or more: flipped bits, cuts, blocks moved, wiped or written over.

    Half of the PNG files get right checksums again, so that the damage comes through to a reader.
    """
    data = bytearray(content)
    for _ in range(rng.geometric(0.7)):
        start, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
        # Most of what a reader believes stands at the start.
        place = int(len(data) * rng.random() ** rng.integers(1, 4))
        width = int(rng.integers(1, 9))
        kind = rng.integers(10)
        if kind <= 2:
            flip = 1 << int(rng.integers(8))
            data[place : place + 1] = bytes(byte ^ flip for byte in data[place : place + 1])
        elif kind == 3:
            del data[end:]
        elif kind == 4:
            del data[place : place + width]
        elif kind == 5:
            data[place : place + width] = bytes(width)
        elif kind == 6:
            data[place : place + width] = b"\xff" * width
        elif kind == 7:
            data[place : place + width] = rng.bytes(width)
        elif kind == 8:
            data[place:place] = data[start : min(end, start + 64)]
        else:
            middle = (start + end) // 2
            data[start:end] = data[middle:end] + data[start:middle]
    return _with_checksums(bytes(data)) if rng.integers(2) else bytes(data)


def _with_checksums(content: bytes) -> bytes:
    """A PNG file with the checksums that its chunks should have; any other as it is."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    data, place = bytearray(content), 8
    while place + 12 <= len(data):
        end = place + 8 + struct.unpack(">I", data[place : place + 4])[0]
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(data)


def check(path: Path) -> str | None:
    """Reads a file in every way; None if it is a picture, else the sentence about it.

    Raises:
        Exception: If anything but a picture or one ValueError in a line that names the file comes
            of it, warnings included.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            is_grey(path)
            picture = read_picture(path)
        except ValueError as error:
            message = str(error)
            assert type(error) is ValueError and path.name in message, message
            assert message.isprintable() and message.endswith("."), message
            return message
    assert picture.dtype in (np.uint8, np.uint16) and picture.size
    assert picture.ndim == 3 and picture.shape[2] in (1, 3)
    grey = to_grey(picture)
    assert grey.shape == picture.shape[:2] and grey.min() >= 0 and grey.max() <= 1
    assert to_pixels(picture, 3, size=5).shape == (3, 5, 5)
    return None
