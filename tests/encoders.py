"""Pictures written by hand, from the values that a file holds, and what a viewer shows of them.

Nothing here uses Pillow, except for the formats whose codecs are too long to write.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

#: EXIF: where the pixel in row r and column c of a file of H x W pixels is seen.
SEEN: dict[int, Callable[[int, int, int, int], tuple[int, int]]] = {
    1: lambda r, c, H, W: (r, c),
    2: lambda r, c, H, W: (r, W - 1 - c),
    3: lambda r, c, H, W: (H - 1 - r, W - 1 - c),
    4: lambda r, c, H, W: (H - 1 - r, c),
    5: lambda r, c, H, W: (c, r),
    6: lambda r, c, H, W: (c, H - 1 - r),
    7: lambda r, c, H, W: (W - 1 - c, H - 1 - r),
    8: lambda r, c, H, W: (W - 1 - c, r),
}


@dataclass(frozen=True)
class Sample:
    """A file, and what it shows.

    Attributes:
        name: What it is, with a suffix.
        content: The file.
        shown: What a viewer shows, upright and on white, in [0, 1], (H, W, C).
        error: How far a reader may be off, in levels of 8 bits.
    """

    name: str
    content: bytes
    shown: np.ndarray
    error: float = 0.0


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    height, width = stored.shape[:2]
    turned = orientation >= 5
    shown = np.empty((width, height) if turned else (height, width), dtype=object)
    for row in range(height):
        for column in range(width):
            shown[SEEN[orientation](row, column, height, width)] = stored[row, column]
    return np.array(shown.tolist())


def on_white(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return values * alpha + 1 - alpha


def exif(orientation: int) -> bytes:
    """An EXIF block with nothing but the orientation."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def _packed(values: np.ndarray, depth: int) -> list[bytes]:
    """The rows of (H, W, samples) with the depth in bits, most significant first."""
    rows = []
    for row in values.reshape(len(values), -1):
        bits = "".join(f"{value:0{depth}b}" for value in row.tolist())
        bits += "0" * (-len(bits) % 8)
        rows.append(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)))
    return rows


# PNG

_PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
_PASSES += [(1, 0, 2, 1)]


def chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png(
    values: np.ndarray, depth: int, colour: int, orientation: int, interlaced: bool, *extra: bytes
) -> bytes:
    """A PNG file of values (H, W, samples); `extra` are chunks in front of the data."""
    height, width, _ = values.shape
    passes = _PASSES if interlaced else [(0, 0, 1, 1)]
    data = b""
    for top, left, down, right in passes:
        part = values[top::down, left::right]
        if part.size:
            data += b"".join(b"\0" + row for row in _packed(part, depth))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *extra,
            chunk(b"eXIf", exif(orientation)),
            chunk(b"IDAT", zlib.compress(data)),
            chunk(b"IEND", b""),
        ]
    )


def pngs(seed: int, orientation: int) -> list[Sample]:
    """PNG files of all colours and depths, with and without transparency and interlacing."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 12, 2).tolist()
    samples = []

    def add(name: str, content: bytes, shown: np.ndarray, error: float) -> None:
        samples.append(Sample(f"{name}.png", content, upright(shown, orientation), error))

    for colour, kind, count, depths in (
        (0, "grey", 1, (1, 2, 4, 8, 16)),
        (2, "rgb", 3, (8, 16)),
        (4, "grey-alpha", 2, (8, 16)),
        (6, "rgb-alpha", 4, (8, 16)),
    ):
        for depth in depths:
            most = 2**depth - 1
            values = rng.integers(0, most + 1, (height, width, count))
            values[0, 0] = values[-1, -1]
            share = values / most
            # Colour of 16 bits is cut to 8, a composition is rounded twice, and cut before.
            cut = 1.0 if depth == 16 and kind != "grey" else 0.0
            interlaced = bool(rng.integers(2))
            if colour in (4, 6):
                file = png(values, depth, colour, orientation, interlaced)
                shown = on_white(share[..., :-1], share[..., -1:])
                add(f"{kind}-{depth}", file, shown, 1.0 + 2 * cut)
                continue
            add(f"{kind}-{depth}", png(values, depth, colour, orientation, interlaced), share, cut)
            key = values[0, 0]
            file = png(
                values,
                depth,
                colour,
                orientation,
                interlaced,
                chunk(b"tRNS", key.astype(">u2").tobytes()),
            )
            opaque = (values != key).any(axis=2, keepdims=True)
            add(f"{kind}-{depth}-key", file, on_white(share, opaque), cut)
    for depth in (1, 2, 4, 8):
        values = rng.integers(0, 2**depth, (height, width, 1))
        palette = rng.integers(0, 256, (2**depth, 3))
        alphas = rng.integers(0, 256, 2 ** (depth - 1))  # the others are opaque
        every = np.concatenate([alphas, np.full(2**depth - len(alphas), 255)])
        colours = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        transparency = chunk(b"tRNS", alphas.astype(np.uint8).tobytes())
        shown = palette[values[..., 0]] / 255
        add(f"palette-{depth}", png(values, depth, 3, orientation, False, colours), shown, 0.0)
        shown = on_white(shown, every[values] / 255)
        file = png(values, depth, 3, orientation, True, colours, transparency)
        add(f"palette-{depth}-alpha", file, shown, 1.0)
    greys = np.repeat(rng.integers(0, 256, (16, 1)), 3, axis=1)
    values = rng.integers(0, 16, (height, width, 1))
    file = png(values, 4, 3, orientation, False, chunk(b"PLTE", greys.astype(np.uint8).tobytes()))
    add("palette-of-greys", file, greys[values[..., 0]][..., :1] / 255, 0.0)
    return samples


# TIFF


def tiff(
    values: np.ndarray,
    depth: int,
    photometric: int,
    orientation: int,
    order: str = "<",
    deflated: bool = False,
    **tags: list[int],
) -> bytes:
    """A TIFF file of values (H, W, samples); `tags` are further ones of shorts, as t338=[2]."""
    height, width, count = values.shape
    if depth == 16:
        data = values.astype(f"{order}u2").tobytes()
    else:
        data = b"".join(_packed(values, depth))
    data = zlib.compress(data) if deflated else data
    shorts = {
        256: [width],
        257: [height],
        258: [depth] * count,
        259: [8 if deflated else 1],
        262: [photometric],
        274: [orientation],
        277: [count],
        278: [height],
    } | {int(name[1:]): entry for name, entry in tags.items()}
    longs = {273: [8], 279: [len(data)]}
    body = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 0) + data
    entries = b""
    for tag in sorted(shorts | longs):
        kind, form = (3, "H") if tag in shorts else (4, "I")
        entry = (shorts | longs)[tag]
        packed = struct.pack(f"{order}{len(entry)}{form}", *entry)
        if len(packed) > 4:
            body += b"\0" * (len(body) % 2)
            packed, body = struct.pack(f"{order}I", len(body)), body + packed
        entries += struct.pack(f"{order}HHI", tag, kind, len(entry)) + packed.ljust(4, b"\0")
    body += b"\0" * (len(body) % 2)
    start = struct.pack(f"{order}I", len(body))
    body = body[:4] + start + body[8:]
    return body + struct.pack(f"{order}H", len(entries) // 12) + entries + bytes(4)


def tiffs(seed: int, orientation: int) -> list[Sample]:
    """TIFF files of all colours and depths that Pillow reads, in both orders of bytes."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 12, 2).tolist()
    samples = []
    order, word = (("<", "little"), (">", "big"))[seed % 2]
    deflated = bool(rng.integers(2))

    def add(name: str, content: bytes, shown: np.ndarray, error: float) -> None:
        shown = upright(shown, orientation)
        samples.append(Sample(f"{name}-{word}-{deflated}.tif", content, shown, error))

    def draw(depth: int, count: int) -> np.ndarray:
        return rng.integers(0, 2**depth, (height, width, count))

    for depth in (1, 2, 4, 8, 12, 16):
        values = draw(depth, 1)
        share = values / (2**depth - 1)
        if depth != 12 or (order == "<" and not deflated):  # unknown to Pillow
            file = tiff(values, depth, 1, orientation, order, deflated)
            add(f"grey-{depth}", file, share, 0.0)
        if depth != 12 and (depth, order) != (16, ">"):  # unknown to Pillow
            file = tiff(values, depth, 0, orientation, order, deflated)
            add(f"white-is-0-{depth}", file, 1 - share, 0.0)
    for depth in (8, 16):
        most = 2**depth - 1
        values = draw(depth, 3)
        cut = float(depth == 16)
        add(
            f"rgb-{depth}", tiff(values, depth, 2, orientation, order, deflated), values / most, cut
        )
        values = draw(depth, 4)
        share = values / most
        file = tiff(values, depth, 2, orientation, order, deflated, t338=[2])
        add(f"rgb-alpha-{depth}", file, on_white(share[..., :3], share[..., 3:]), 1 + 2 * cut)
        ink = tiff(values, depth, 5, orientation, order, deflated)
        # Pillow multiplies and rounds in 8 bits.
        add(f"cmyk-{depth}", ink, (1 - share[..., :3]) * (1 - share[..., 3:]), 1 + 2 * cut)
    values = draw(8, 2)
    share = values / 255
    file = tiff(values, 8, 1, orientation, order, deflated, t338=[2])
    add("grey-alpha-8", file, on_white(share[..., :1], share[..., 1:]), 1.0)
    values = draw(4, 1)
    palette = rng.integers(0, 256, (16, 3))
    file = tiff(
        values, 4, 3, orientation, order, deflated, t320=(palette.T * 257).flatten().tolist()
    )
    add("palette-4", file, palette[values[..., 0]] / 255, 0.0)
    return samples


# Others by hand


def netpbms(seed: int) -> list[Sample]:
    """PBM, PGM and PPM, binary and as text, with any largest value."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 12, 2).tolist()
    samples = []
    bits = rng.integers(0, 2, (height, width, 1))
    start = f"P4\n# a comment\n{width} {height}\n".encode()
    samples.append(Sample("bits.pbm", start + b"".join(_packed(bits, 1)), 1.0 - bits))
    for most in (255, 100, 1000, 65535):
        kind = ">u2" if most > 255 else "u1"
        for number, count, suffix in ((5, 1, "pgm"), (6, 3, "ppm")):
            values = rng.integers(0, most + 1, (height, width, count))
            start = f"P{number} {width} {height} {most}\n".encode()
            content = start + values.astype(kind).tobytes()
            samples.append(Sample(f"{most}.{suffix}", content, values / most, 0.5))
            text = f"P{number - 3} {width} {height} {most}\n"
            text += "\n".join(map(str, values.flatten().tolist())) + "\n"
            samples.append(Sample(f"text-{most}.{suffix}", text.encode(), values / most, 0.5))
    return samples


def bmps(seed: int) -> list[Sample]:
    """BMP of 24 bits from the bottom up and of 8 bits with a palette from the top down."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 12, 2).tolist()
    values = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    rows = [row[:, ::-1].tobytes() + bytes(-3 * width % 4) for row in values[::-1]]
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    start = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54)
    samples = [Sample("rgb.bmp", start + header + b"".join(rows), values / 255)]
    palette = rng.integers(0, 256, (256, 4)).astype(np.uint8)
    indices = rng.integers(0, 256, (height, width)).astype(np.uint8)
    rows = [row.tobytes() + bytes(-width % 4) for row in indices]
    header = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 8, 0, 0, 0, 0, 256, 0)
    start = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54 + 1024)
    content = start + header + palette.tobytes() + b"".join(rows)
    shown = palette[indices][..., 2::-1] / 255
    return [*samples, Sample("palette.bmp", content, shown)]


# With Pillow's codecs


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def coded(seed: int, orientation: int) -> list[Sample]:
    """JPEG, WEBP, AVIF, JPEG 2000, GIF and QOI of flat patches, which lossy codecs keep."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 4, 2).tolist()
    block = np.ones((16, 16, 1), dtype=np.uint8)

    def draw(count: int) -> np.ndarray:
        return np.kron(rng.integers(0, 256, (rows, columns, count)).astype(np.uint8), block)

    rgb, grey, rgba, cmyk = draw(3), draw(1), draw(4), draw(4)
    images = {
        "rgb": (Image.fromarray(rgb), rgb / 255),
        "grey": (Image.fromarray(grey[..., 0]), grey / 255),
        "alpha": (Image.fromarray(rgba), on_white(rgba[..., :3] / 255, rgba[..., 3:] / 255)),
        "cmyk": (
            Image.frombytes("CMYK", cmyk.shape[1::-1], cmyk.tobytes()),
            (1 - cmyk[..., :3] / 255) * (1 - cmyk[..., 3:] / 255),
        ),
    }
    # Levels that the codecs may be off: conversions to YCbCr and back round each channel, and the
    # transform of a flat patch rounds once more; ink multiplies two such errors.
    plans: list[tuple[str, str, str, dict[str, object], float]] = [
        ("rgb", "JPEG", "jpg", {"quality": 100, "subsampling": 0}, 4.0),
        ("grey", "JPEG", "jpg", {"quality": 100}, 2.0),
        ("cmyk", "JPEG", "jpg", {"quality": 100, "subsampling": 0}, 6.0),
        ("rgb", "MPO", "mpo", {"quality": 100, "subsampling": 0}, 4.0),
        ("rgb", "WEBP", "webp", {"lossless": True}, 0.0),
        ("alpha", "WEBP", "webp", {"lossless": True, "exact": True}, 1.0),
        ("rgb", "AVIF", "avif", {"quality": 100, "subsampling": "4:4:4"}, 4.0),
        ("alpha", "AVIF", "avif", {"quality": 100, "subsampling": "4:4:4"}, 5.0),
    ]
    samples = []
    Image.init()
    for kind, form, suffix, options, error in plans:
        if form not in Image.SAVE:  # AVIF came with Pillow 11.3
            continue
        image, shown = images[kind]
        tags = Image.Exif()
        tags[274] = orientation
        content = _saved(image, form, exif=tags.tobytes(), **options)
        name = f"{kind}-{orientation}.{suffix}"
        samples.append(Sample(name, content, upright(shown, orientation), error))
    if orientation == 1:  # these have no place for it
        for kind, form, suffix in (("rgb", "JPEG2000", "jp2"), ("grey", "JPEG2000", "j2k")):
            image, shown = images[kind]
            samples.append(Sample(f"{kind}.{suffix}", _saved(image, form), shown))
        image, shown = images["alpha"]
        samples.append(Sample("alpha.jp2", _saved(image, "JPEG2000"), shown, 1.0))
        image, shown = images["grey"]
        samples.append(Sample("grey.gif", _saved(image, "GIF"), shown))
        palette = images["rgb"][0].quantize(16)
        shown = np.asarray(palette.convert("RGB")) / 255
        second = palette.transpose(Image.Transpose.ROTATE_180)
        content = _saved(palette, "GIF", save_all=True, append_images=[second])
        samples.append(Sample("animated.gif", content, shown))
    return samples
