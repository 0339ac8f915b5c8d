"""Random numbers as an argument: one generator for a batch, or one for every image of it."""

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from .arguments import checked
from .checks import shown

__all__ = ["Generator", "generators", "randn"]

#: So many generators at once take some gigabytes.
_MOST = 1_000_000

#: What every function that draws noise takes: nothing (torch's global state), one generator for
#: the whole batch, or one generator for every image.
Generator = torch.Generator | Sequence[torch.Generator] | None


@checked
def generators(seed: int, indices: Iterable[int]) -> list[torch.Generator]:
    """Returns one CPU generator for every image, a pure function of the seed and its index.

    Image `i` then sees the same noise whatever else is in its batch and on whatever device it is.

    Arguments:
        seed: The seed of the whole run, in [0, 2^32).
        indices: The number of every image, each in [0, 2^32).

    Raises:
        TypeError: If one of them is no whole number.
        ValueError: If the seed or an index lies outside, or there are more than a million.
    """
    if isinstance(indices, Tensor):
        indices = indices.to_dense().tolist()
    if not isinstance(indices, Iterable):
        raise TypeError(f"Indices must be a sequence of whole numbers, but are {shown(indices)}.")
    # A range may be longer than any memory.
    indices = [_checked("Indices", index) for index in islice(indices, _MOST + 1)]
    if len(indices) > _MOST:
        raise ValueError(f"At most {_MOST:,} generators are made at once; give fewer indices.")
    seed = _checked("Seeds", seed)

    def state(index: int) -> int:
        # SeedSequence mixes its words of 32 bits: (0, 1) and (1, 0) are unrelated streams.
        return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> 1)

    return [torch.Generator().manual_seed(state(index)) for index in indices]


def _checked(name: str, number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer):
        raise TypeError(f"{name} must be whole numbers, but one is {shown(number)}.")
    if not 0 <= number < 2**32:
        raise ValueError(f"Seeds and indices must lie in [0, 2^32), but one is {shown(number)}.")
    return int(number)


def randn(
    shape: Sequence[int],
    generator: Generator = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draws independent N(0, 1) numbers.

    Arguments:
        shape: The shape (B, ...) of the result.
        generator: One generator for the whole batch, or a sequence of B of them.

    Raises:
        ValueError: If there is not exactly one generator for each of the B images.
    """
    if generator is None or isinstance(generator, torch.Generator):
        origin = device if generator is None else generator.device
        return torch.randn(*shape, generator=generator, dtype=dtype, device=origin).to(device)
    if len(generator) != shape[0]:
        raise ValueError(
            f"{shape[0]} images need {shape[0]} generators, but {len(generator)} were given."
        )
    rows = [torch.randn(*shape[1:], generator=g, dtype=dtype, device=g.device) for g in generator]
    if len({row.device for row in rows}) > 1:
        rows = [row.to(device) for row in rows]
    return torch.stack(rows).to(device)  # in one copy, if they lie together
