"""Images that are read a part at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .checks import ImageLike, ImageSet, check_data

__all__ = ["Chunks"]

#: As many numbers are read at once: 8 MB in double precision, which stay near the processor. Of
#: small images at most so many.
_NUMBERS = 2**20
_IMAGES = 1024

#: Images of up to so many numbers are read in double precision, where that costs nothing.
_SMALL = 1024

#: Seconds until a pass through the images shows how far it is.
_PATIENCE = 2.0


class Chunks:
    """Images in parts of a few megabytes, however many there are.

    Arguments:
        data: Images, (N, C, ...), or a set of them.

    Raises:
        TypeError: If they are no images.
        ValueError: If they are not finite real numbers, or bytes; of a set also when it is read.
    """

    def __init__(self, data: ImageSet | ImageLike) -> None:
        self._data = data if isinstance(data, ImageSet) else check_data(data)
        self._count = len(self._data)
        self.shape = self.at(torch.arange(min(self._count, 1))).shape[1:]

    def __len__(self) -> int:
        return self._count

    def at(self, indices: Tensor) -> Tensor:
        """The images at these indices, on the CPU.

        Those of up to 1,024 numbers come in double precision, larger ones in their own, single at
        least.
        """
        found = self._data
        images = found[indices] if isinstance(found, Tensor) else check_data(found.batch(indices))
        small = images[0].numel() <= _SMALL
        return images.cpu().to(
            torch.float64 if small else torch.promote_types(images.dtype, torch.float32)
        )

    def read(self, what: str, progress: bool) -> Iterator[Tensor]:
        """All images in their order, a part at a time.

        Arguments:
            what: What they are read for, for the progress bar.
            progress: Whether a bar is shown once it has taken two seconds.
        """
        from tqdm import tqdm

        size = max(1, min(_NUMBERS // self.shape.numel(), _IMAGES))
        hidden = not progress
        total = self._count
        with tqdm(total=total, desc=what, unit="image", delay=_PATIENCE, disable=hidden) as bar:
            for indices in torch.arange(total).split(size):
                yield self.at(indices)
                bar.update(len(indices))
