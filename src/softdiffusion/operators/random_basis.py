"""A random orthonormal basis that is fast to apply."""

import functools

import torch
from torch import Tensor

from ..arguments import checked
from ..random import generators
from .transforms import DCT, Transform

__all__ = ["RandomBasis"]


@checked
class RandomBasis(Transform):
    r"""Random signs, then the orthonormal DCT-II of channels and pixels alike.

    .. math:: T = \mathrm{DCT} \cdot \operatorname{diag}(\pm 1)

    The signs flatten the spectrum of any image, so each coefficient is a random direction that
    sees all pixels of all channels: a dense random orthonormal basis at the price of a DCT. The
    signs are a pure function of the seed and the image's shape (C, ...).

    Source: Ailon and Chazelle 2006; Tropp 2011, with the DCT in place of the Hadamard transform.

    Arguments:
        seed: The seed of the signs, >= 0.

    Raises:
        ValueError: If the seed is negative.
    """

    def __init__(self, seed: int = 0) -> None:
        generators(seed, [0])  # raises if it is negative
        self.seed = seed

    def forward(self, x: Tensor) -> Tensor:
        signs = _signs(self.seed, x.shape[1:], x.dtype, x.device)
        return DCT().forward((signs * x).unsqueeze(1)).squeeze(1)

    def inverse(self, z: Tensor) -> Tensor:
        signs = _signs(self.seed, z.shape[1:], z.dtype, z.device)
        return signs * DCT().inverse(z.unsqueeze(1)).squeeze(1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RandomBasis) and other.seed == self.seed

    def __hash__(self) -> int:
        return hash((RandomBasis, self.seed))

    def __repr__(self) -> str:
        return f"RandomBasis(seed={self.seed})"


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is first needed while sampling must still serve training
def _signs(seed: int, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    bits = torch.randint(2, shape, generator=generators(seed, [0])[0])
    return (2 * bits - 1).to(dtype=dtype, device=device)
