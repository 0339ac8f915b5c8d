"""Windows of pictures that are larger than the images of a training."""

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

from .cache import Cache, Window
from .images import Images, to_float
from .pictures import Pictures

__all__ = ["CropImages"]

#: The fixed crops are about as many as measurements read, however few the pictures are.
_FIXED = 10_000

#: What keeps the windows of a training and the fixed ones apart.
_DRAWN, _KEPT = 0, 1


class CropImages(Images):
    r"""Square windows of pictures, which may have any sizes.

    A training draws a window of every picture anew each time (`draw`): a scale s, log-uniform in
    [`scale`, 1], and a place, uniform among all where a square of `crop` / s pixels fits into the
    picture. The window is resized to `crop` pixels (Lanczos, antialiased); at s = 1 it shows the
    picture's own pixels. All of it is a function of the image's seed.

    As a set of fixed images (`batch`, for starts, distances and evaluation) it holds the same kind
    of windows, drawn once and for all: image i is window i // N of picture i % N, of N pictures.
    Every picture has one, or as many as make 10,000 or a few more in all.

    Arguments:
        pictures: The pictures, not cropped to squares; if they are resized, then to at least `crop`
            pixels.
        crop: The side of the images in pixels.
        scale: The smallest scale, in (0, 1]; in a picture too small for it, that at which the
            window is as large as fits.

    Raises:
        ValueError: If the pictures are resized to less than `crop`; for those that can't be read,
            or are smaller than `crop`, with the first batch.
    """

    def __init__(self, pictures: Pictures, crop: int, scale: float = 1.0) -> None:
        size = pictures.size
        if size is not None and size < crop:
            raise ValueError(
                f"Crops of {crop} pixels don't fit into pictures whose short side is resized to "
                f"{size}; give a size of at least {crop}, or leave it out."
            )
        self.crop = crop
        self.scale = scale
        self.pictures = pictures
        self.shape = (self.pictures.channels, crop, crop)
        self.repeat = math.ceil(_FIXED / len(self.pictures))
        labels = self.pictures.labels
        self.labels = None if labels is None else labels.repeat(self.repeat)
        self.classes = self.pictures.classes
        windows = f"{len(self):,} crops of {len(self.pictures):,} pictures stand for all of them"
        self.notes = (*self.pictures.notes, windows)
        self.name = pictures.name
        self._found_sizes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pictures) * self.repeat

    def batch(self, indices: Tensor) -> Tensor:
        return self._crops(indices, indices, _KEPT)

    def draw(self, indices: Tensor, seeds: Tensor) -> Tensor:
        return self._crops(indices, seeds, _DRAWN)

    def digest(self) -> str:
        """The SHA-256 of the digest of the pictures, as their cache has it, and of the settings.

        The fixed crops are but a part of what a training sees.
        """
        settings = repr((self.pictures.digest(), self.crop, self.scale))
        return hashlib.sha256(settings.encode()).hexdigest()

    def _crops(self, indices: Tensor, seeds: Tensor, word: int) -> Tensor:
        pictures = (indices % len(self.pictures)).tolist()
        sizes = self._sizes()
        windows = [
            self._window(picture, sizes[picture], _uniform(seed, word))
            for picture, seed in zip(pictures, seeds.tolist(), strict=True)
        ]

        def read(cache: Cache | Tensor) -> list[np.ndarray]:
            assert isinstance(cache, Cache)
            return cache.windows(windows)

        crops = [_resized(part, self.crop) for part in self.pictures.read(read)]
        return to_float(torch.from_numpy(np.stack(crops)))

    def _window(self, picture: int, size: np.ndarray, uniform: np.ndarray) -> Window:
        """The square that three uniform numbers in [0, 1) choose in a picture."""
        smallest = max(self.scale, self.crop / size.min())
        side = round(self.crop / smallest ** uniform[0])
        top, left = (uniform[1:] * (size - side + 1)).astype(int).tolist()
        return picture, top, left, side, side

    def _sizes(self) -> np.ndarray:
        """Height and width of every picture, (N, 2)."""
        if self._found_sizes is None:
            sizes = self.pictures.read(_sizes)
            small = np.flatnonzero(sizes.min(1) < self.crop)
            if len(small):
                raise ValueError(self._too_small(small, *sizes[small[0]]))
            self._found_sizes = sizes
        return self._found_sizes

    def _too_small(self, small: np.ndarray, height: int, width: int) -> str:
        name, count = self.pictures.named(small[0]), len(small) - 1
        others = f", as have {count:,} other" + ("s" if count > 1 else "") if count else ""
        return (
            f"The picture {name} has {width} x {height} pixels, too few for a crop of "
            f"{self.crop}{others}; give a smaller crop, a size to which all are resized before, or "
            f"remove {'them' if count else 'it'}."
        )


def _sizes(cache: Cache | Tensor) -> np.ndarray:
    assert isinstance(cache, Cache)
    return cache.sizes()


def _uniform(seed: int, word: int) -> np.ndarray:
    """Three uniform numbers in [0, 1), a function of the seed."""
    state = np.random.SeedSequence([seed, word]).generate_state(3, np.uint64)
    return (state >> 11) * 2.0**-53


def _resized(part: np.ndarray, side: int) -> np.ndarray:
    """A square part of a picture, uint8 (C, H, H), at another size."""
    if part.shape[1] == side:
        return part
    from PIL import Image

    channels = [
        np.asarray(Image.fromarray(channel).resize((side, side), Image.Resampling.LANCZOS))
        for channel in part
    ]
    return np.stack(channels)
