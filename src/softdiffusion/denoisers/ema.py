"""The exponential moving average of a denoiser."""

import copy

import torch
from torch import Tensor

from ..arguments import checked
from .denoiser import BaseDenoiser

__all__ = ["EMA", "follow", "followed"]

_HALF = (torch.float16, torch.bfloat16)


@checked
class EMA(BaseDenoiser):
    r"""A copy of a denoiser that follows it slowly.

    .. math:: \bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta,
        \qquad d = \min(\text{decay}, (1 + k) / (10 + k))

    at the k-th update, counted from 0, so that an early average forgets its random start. It is
    kept in single precision at least: to half precision a step of 1 - d is mostly nothing.

    Arguments:
        denoiser: The denoiser to follow; it is copied, never changed, and of a compiled one what
            was compiled.
        decay: The final decay an update, in [0, 1).

    Raises:
        ValueError: If the decay lies outside [0, 1).
    """

    updates: Tensor

    def __init__(self, denoiser: BaseDenoiser, decay: float = 0.999) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"The decay must be in [0, 1), but is {decay:g}.")
        self.denoiser = followed(denoiser)
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.decay = decay
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    @checked
    def update(self, denoiser: BaseDenoiser) -> None:
        """Moves the average towards the denoiser's present weights; buffers are copied.

        Raises:
            ValueError: If its weights have other shapes.
        """
        k = int(self.updates)
        follow(self.denoiser, denoiser, 1 - min(self.decay, (1 + k) / (10 + k)))
        self.updates += 1

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.denoiser(x_t, t, labels)


def followed(denoiser: BaseDenoiser) -> BaseDenoiser:
    """A copy of a denoiser for its average, without gradients, in single precision at least."""
    copied = copy.deepcopy(getattr(denoiser, "_orig_mod", denoiser)).eval().requires_grad_(False)
    return copied.float() if any(w.dtype in _HALF for w in copied.parameters()) else copied


@torch.no_grad()
def follow(average: BaseDenoiser, denoiser: BaseDenoiser, share: float) -> None:
    """Moves an average by a share of the way to a denoiser's weights; buffers are copied.

    Raises:
        ValueError: If its weights have other shapes.
    """
    averages: list[Tensor] = list(average.parameters())
    weights = list(denoiser.parameters())
    if [weight.shape for weight in weights] != [average.shape for average in averages]:
        raise ValueError(
            "An average follows the denoiser that it was made from, but the weights of this "
            "one have other shapes; make an average of it."
        )
    pairs = zip(averages, weights, strict=True)
    torch._foreach_lerp_(averages, [weight.to(average) for average, weight in pairs], share)
    for kept, buffer in zip(average.buffers(), denoiser.buffers(), strict=True):
        kept.copy_(buffer)
