"""Pictures made of images: grids, single files, strips of the forward process, animations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike, as_images
from ..files import drafted
from .pixels import mosaic, readable_scale, spread, to_uint8

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["numbered", "save_animation", "save_grid", "save_images", "save_strip"]

#: The seconds that an animation runs, and those that its last frame stays.
_RUNS, _STAYS = 3.0, 2.0

#: The size of captions and the space around them, in pixels.
_CAPTION, _MARGIN = 13, 6


@checked
def save_grid(
    images: ImageLike,
    path: str | Path,
    columns: int | None = None,
    scale: int | None = None,
    captions: Sequence[str] | None = None,
) -> None:
    """Writes images side by side as one PNG, with a thin white border around each.

    Arguments:
        images: The images, (N, C, H, W) in [-1, 1]; channels that are neither grey nor RGB lie
            side by side.
        path: The file; folders that are missing are made.
        columns: Images in a row; the default makes the grid about square.
        scale: Every pixel becomes a square of this side; the default enlarges images of fewer
            than 64 pixels until they reach it.
        captions: A short text to stand below each image, such as its class.

    Raises:
        ValueError: If there is no image, an argument is out of range, or there are not as many
            captions as images.
    """
    images = images if isinstance(images, Tensor) else as_images("The images", images)
    if captions is None:
        _save(_picture(mosaic(images, columns, scale)), path)
        return
    if len(captions) != len(images):
        raise ValueError(
            f"Every image needs its caption, but there are {len(images)} images and "
            f"{len(captions)} captions."
        )
    columns = columns or math.ceil(math.sqrt(len(images)))
    page = _picture(mosaic(images, columns, scale, below=_CAPTION + _MARGIN))
    _write_below(page, captions, columns)
    _save(page, path)


def _write_below(page: Image, captions: Sequence[str], columns: int) -> None:
    """Writes captions below the tiles of a page, cut where they are wider than a tile."""
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(page), ImageFont.load_default(_CAPTION)
    width, height = page.width / columns, page.height / math.ceil(len(captions) / columns)
    for index, caption in enumerate(captions):
        row, column = divmod(index, columns)
        text = caption
        while len(text) > 1 and pen.textlength(text, font=font) > width - 2:
            text = text[:-2] + "."
        place = ((column + 0.5) * width, (row + 1) * height - _MARGIN / 2)
        pen.text(place, text, fill="black", font=font, anchor="md")


@checked
def save_images(
    images: ImageLike, folder: str | Path, names: Sequence[str] | None = None
) -> list[Path]:
    """Writes every image as a PNG of its own, at its own size.

    Arguments:
        images: The images, (N, C, H, W) in [-1, 1]; channels that are neither grey nor RGB lie
            side by side.
        folder: The folder, made if missing.
        names: The names of the files without `.png`; the default is `numbered`.

    Returns:
        The files.
    """
    images = images if isinstance(images, Tensor) else as_images("The images", images)
    names = names or numbered(len(images))
    paths = [Path(folder) / f"{name}.png" for name in names]
    for path, image in zip(paths, to_uint8(spread(images)), strict=True):
        _save(_picture(image), path, lasting=False)
    return paths


def numbered(count: int, indices: Iterable[int] | None = None) -> list[str]:
    """The names `0`, `1`, ..., padded with zeros so that they sort as numbers do.

    Arguments:
        count: How many there are.
        indices: Those whose names are asked for, each in [0, count); the default is all of them.
    """
    digits = len(str(count - 1))
    return [f"{index:0{digits}d}" for index in (range(count) if indices is None else indices)]


@checked
def save_strip(frames: ImageLike, path: str | Path, labels: Sequence[str]) -> None:
    """Writes a table of images as one PNG: a row for every image, a column for every time.

    Arguments:
        frames: The same images at T times, (T, B, C, H, W) in [-1, 1]; what noise carries beyond
            that is shown black or white.
        path: The file; folders that are missing are made.
        labels: One caption a column, of one line or more.

    Raises:
        ValueError: If there are not as many captions as times, or the frames have other axes.
    """
    from PIL import Image, ImageDraw, ImageFont

    frames = frames if isinstance(frames, Tensor) else as_images("The frames", frames)
    if frames.ndim != 5 or len(labels) != len(frames):
        raise ValueError(
            "A strip needs frames (T, B, C, H, W) and one label for each of the T times, but has "
            f"the shape {tuple(frames.shape)} and {len(labels)} labels."
        )
    font = ImageFont.load_default(_CAPTION)
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    boxes = [pen.multiline_textbbox((0, 0), label, font=font) for label in labels]
    caption_width = max(right for _, _, right, _ in boxes)
    caption_height = max(bottom for _, _, _, bottom in boxes)

    height, width = frames.shape[-2:]
    scale = max(readable_scale(height, width), int(caption_width) // width)
    columns = [_picture(mosaic(frame, columns=1, scale=scale)) for frame in frames]
    pitch = int(max(columns[0].width, caption_width + _MARGIN))
    top = int(caption_height + 2 * _MARGIN)
    page = Image.new(columns[0].mode, (len(columns) * pitch, top + columns[0].height), "white")
    pen = ImageDraw.Draw(page)
    for index, (column, label) in enumerate(zip(columns, labels, strict=True)):
        page.paste(column, (index * pitch + (pitch - column.width) // 2, top))
        centre = (index + 0.5) * pitch
        pen.multiline_text(
            (centre, top - _MARGIN), label, fill="black", font=font, anchor="md", align="center"
        )
    _save(page, path)


@checked
def save_animation(frames: ImageLike, path: str | Path) -> None:
    """Writes a grid of images that changes with time; it runs 3 seconds, stays 2 and starts again.

    Arguments:
        frames: The frames, (T, B, C, H, W) in [-1, 1].
        path: The file, whose suffix chooses the format: `.gif`, or `.png` for an animated PNG
            (exact in colour, where a GIF holds 256 colours a frame).

    Raises:
        ValueError: If the suffix is another, or the frames have other axes.
    """
    suffix = Path(path).suffix
    if suffix not in (".gif", ".png"):
        raise ValueError(f"An animation is a .gif or a .png, but the file is called {path}.")
    frames = frames if isinstance(frames, Tensor) else as_images("The frames", frames)
    if frames.ndim != 5 or len(frames) == 0:
        raise ValueError(
            f"Frames must have the axes (T, B, C, H, W), but have {tuple(frames.shape)}."
        )
    first, *rest = (_picture(mosaic(frame)) for frame in frames)
    times = [round(1000 * _RUNS / len(frames))] * len(rest) + [round(1000 * _STAYS)]
    with drafted(Path(path)) as draft:
        first.save(
            draft,
            format=suffix[1:].upper(),
            save_all=True,
            append_images=rest,
            duration=times,
            loop=0,
        )


def _picture(image: np.ndarray) -> Image:
    """The Pillow image of bytes (H, W, C)."""
    from PIL import Image

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def _save(picture: Image, path: str | Path, lasting: bool = True) -> None:
    with drafted(Path(path), lasting) as draft:
        picture.save(draft, format="PNG")
