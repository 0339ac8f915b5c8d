"""Random numbers as an argument: one generator for a batch, or one for every image of it."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["Generator", "generators", "randn"]

#: What every function that draws noise takes: nothing (torch's global state), one generator for
#: the whole batch, or one generator for every image.
Generator = torch.Generator | Sequence[torch.Generator] | None


def generators(seed: int, indices: Iterable[int]) -> list[torch.Generator]:
    """Returns one CPU generator for every image, a pure function of the seed and its index.

    Image `i` then sees the same noise whatever else is in its batch and on whatever device it is.

    Arguments:
        seed: The seed of the whole run, in [0, 2^32).
        indices: The number of every image, each in [0, 2^32).

    Raises:
        ValueError: If the seed or an index lies outside.
    """
    indices = list(indices)
    for number in (seed, *indices):
        if not 0 <= number < 2**32:
            raise ValueError(f"Seeds and indices must lie in [0, 2^32), but one is {number}.")

    def state(index: int) -> int:
        # SeedSequence mixes its words of 32 bits: (0, 1) and (1, 0) are unrelated streams.
        return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> 1)

    return [torch.Generator().manual_seed(state(index)) for index in indices]


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
