"""The exponential moving average of a denoiser."""

import copy

import torch
from torch import Tensor

from ..arguments import checked
from .denoiser import BaseDenoiser

__all__ = ["EMA"]

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
        followed = getattr(denoiser, "_orig_mod", denoiser)
        self.denoiser = copy.deepcopy(followed).eval().requires_grad_(False)
        if any(weight.dtype in _HALF for weight in self.denoiser.parameters()):
            self.denoiser.float()
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.decay = decay
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    @checked
    @torch.no_grad()
    def update(self, denoiser: BaseDenoiser) -> None:
        """Moves the average towards the denoiser's present weights; buffers are copied.

        Raises:
            ValueError: If its weights have other shapes.
        """
        k = int(self.updates)
        decay = min(self.decay, (1 + k) / (10 + k))
        averages: list[Tensor] = list(self.denoiser.parameters())
        weights = list(denoiser.parameters())
        if [weight.shape for weight in weights] != [average.shape for average in averages]:
            raise ValueError(
                "An average follows the denoiser that it was made from, but the weights of this "
                "one have other shapes; make an average of it."
            )
        pairs = zip(averages, weights, strict=True)
        torch._foreach_lerp_(averages, [weight.to(average) for average, weight in pairs], 1 - decay)
        for average, buffer in zip(self.denoiser.buffers(), denoiser.buffers(), strict=True):
            average.copy_(buffer)
        self.updates += 1

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.denoiser(x_t, t, labels)
