"""Averages of the weights that a training keeps, from which those of other lengths are made."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..denoisers import BaseDenoiser
from ..denoisers.power_ema import PowerEMA, check_lengths, combination
from ..files import check_inside, drafted
from ..saving import state_of
from ..tensors import not_finite, read_header, read_tensors, write_tensors
from .checkpoint import written

__all__ = ["Averages", "combine", "fit", "kept_in"]

#: The folder of the averages in that of a run.
_FOLDER = "averages"

#: The exact form of a file's name, with the length and the count of images.
_NAME = re.compile(r"(0\.[0-9]{1,18})-([0-9]{12})\.safetensors")

#: The largest share of an average's profile that a combination may lack; what has a larger one is
#: an average of another length.
_LARGEST_RESIDUAL = 0.1

#: The lengths that are tried to say which ones can be made.
_TRIED = np.arange(5, 289) / 1000


class Averages:
    """The averages of a training: `PowerEMA` of a few lengths, kept every so many images.

    They are kept in `averages/LENGTH-IMAGES.safetensors`, in single precision. From the lengths
    0.05 and 0.1, kept eight times, those from 0.035 to 0.2 can be made to a tenth of their
    profile, and, kept 32 times, to a hundredth.

    Arguments:
        denoiser: The denoiser that is trained; it is copied for every length, where it lies.
        lengths: The relative lengths; none keeps nothing.
        folder: The folder of the run.

    Raises:
        ValueError: If a length lies outside [0.001, 0.2887], or is there twice.
    """

    def __init__(self, denoiser: BaseDenoiser, lengths: Sequence[float], folder: Path) -> None:
        check_lengths(lengths)
        self.folder = folder
        self.averages = [PowerEMA(denoiser, length) for length in lengths]

    def update(self, denoiser: BaseDenoiser) -> None:
        """Moves all of them towards the denoiser's present weights, after every step."""
        for average in self.averages:
            average.update(denoiser)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint has to keep, by name: the tensors themselves, and no copies."""
        return {
            f"averages.{average.length:g}.{name}": tensor
            for average in self.averages
            for name, tensor in average.state_dict().items()
        }

    def keep(self, images: int) -> None:
        """Writes the averages after so many images, each whole or not at all.

        It comes before the checkpoint at the same position, since what a kill in between leaves out
        would not be written again.

        Raises:
            ValueError: If one of them is not finite.
            OSError: If one can't be written.
        """
        for average in self.averages:
            state = state_of(average.denoiser)
            if name := not_finite(state):
                raise ValueError(
                    f"The average of {name} is not finite after {images} images; lower the "
                    "learning rate, and the training goes on after its last checkpoint."
                )
            path = self.folder / _FOLDER / f"{average.length!r}-{images:012d}.safetensors"
            with written(f"The average after {images} images"), drafted(path) as draft:
                write_tensors(draft, state)

    def tidy(self, images: int) -> None:
        """Removes what lies behind the position at which a training goes on."""
        for (_, count), path in _files(self.folder).items():
            if count > images:
                path.unlink()


def kept_in(run: Path, images: int | None = None) -> list[tuple[float, int]]:
    """The averages that a run has kept up to a count of images: their lengths and own counts.

    Raises:
        ValueError: If there are none.
    """
    kept = list(_files(run))
    if not kept:
        raise ValueError(
            f"{run} has kept no averages from which others are made; train with --ema_lengths "
            "0.05 0.1."
        )
    first = min(count for _, count in kept)
    if images is not None and images < first:
        raise ValueError(
            f"The first averages in {run} were kept after {first} images, so there is none after "
            f"{images}; ask for more images."
        )
    return [(length, count) for length, count in kept if images is None or count <= images]


def fit(kept: Sequence[tuple[float, int]], length: float, images: int) -> tuple[np.ndarray, float]:
    """The weights by which kept averages give another one, and the share of it that they lack.

    Raises:
        ValueError: If the length lies outside [0.001, 0.2887], or the share is more than a tenth.
    """
    weights, residual = combination(kept, length, images)
    if residual <= _LARGEST_RESIDUAL:
        return weights, residual
    near = [one for one in _TRIED if combination(kept, one, images)[1] <= _LARGEST_RESIDUAL]
    nearest = min(near, key=lambda one: abs(one - length), default=None)
    remedy = "ask for another count of images" if nearest is None else f"ask for {nearest:g}"
    raise ValueError(
        f"An average of length {length:g} after {images} images can't be made from the {len(kept)} "
        f"that were kept: {residual:.0%} of its profile would be missing; {remedy}, or train with "
        "averages that are kept more often."
    )


@torch.no_grad()
def combine(
    run: Path, denoiser: BaseDenoiser, kept: Sequence[tuple[float, int]], weights: np.ndarray
) -> None:
    """Gives a denoiser the weighted sum of kept averages, and the buffers of the last one.

    The files are read one by one, and added up in double precision.

    Arguments:
        run: The folder of the run.
        denoiser: The denoiser, of the run's network, in place.
        kept: The averages, by length and count of images.
        weights: The weight of each.

    Raises:
        ValueError: If a file is damaged, or belongs to another network.
    """
    files = _files(run)
    state = denoiser.state_dict()
    trained = {name for name, _ in denoiser.named_parameters(remove_duplicate=False)}
    sums = {name: torch.zeros(state[name].shape, dtype=torch.float64) for name in trained}
    for weight, average in zip(weights.tolist(), kept, strict=True):
        path = files[average]
        check_inside(path, run)
        shapes = {name: entry.shape for name, entry in read_header(path).items()}
        if shapes != {name: tuple(tensor.shape) for name, tensor in state.items()}:
            raise ValueError(f"{path} belongs to another network than the model in {run}.")
        for name, tensor in read_tensors(path).items():
            if name in trained:
                sums[name].add_(tensor, alpha=weight)
            elif average[1] == kept[-1][1]:
                state[name].copy_(tensor)
    for name, total in sums.items():
        state[name].copy_(total)


def _files(run: Path) -> dict[tuple[float, int], Path]:
    """The files of a run's averages, by length and count of images, the last ones last."""
    folder = run / _FOLDER
    children = folder.iterdir() if folder.is_dir() else ()
    named = ((_NAME.fullmatch(path.name), path) for path in children)
    found = {(float(match[1]), int(match[2])): path for match, path in named if match}
    return dict(sorted(found.items(), key=lambda item: (item[0][1], item[0][0])))
