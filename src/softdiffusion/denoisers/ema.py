"""The exponential moving average of a denoiser."""

import copy

import torch
from torch import Tensor

from .denoiser import BaseDenoiser

__all__ = ["EMA"]


class EMA(BaseDenoiser):
    r"""A copy of a denoiser that follows it slowly.

    .. math:: \bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta,
        \qquad d = \min(\text{decay}, (1 + k) / (10 + k))

    at the k-th update, counted from 0, so that an early average forgets its random start.

    Arguments:
        denoiser: The denoiser to follow; it is copied, never changed.
        decay: The final decay an update, in [0, 1).

    Raises:
        ValueError: If the decay lies outside [0, 1).
    """

    updates: Tensor

    def __init__(self, denoiser: BaseDenoiser, decay: float = 0.999) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"The decay must be in [0, 1), but is {decay:g}.")
        self.denoiser = copy.deepcopy(denoiser).eval().requires_grad_(False)
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.decay = decay
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, denoiser: BaseDenoiser) -> None:
        """Moves the average towards the denoiser's present weights; buffers are copied."""
        k = int(self.updates)
        decay = min(self.decay, (1 + k) / (10 + k))
        averages: list[Tensor] = list(self.denoiser.parameters())
        torch._foreach_lerp_(averages, list(denoiser.parameters()), 1 - decay)
        for average, buffer in zip(self.denoiser.buffers(), denoiser.buffers(), strict=True):
            average.copy_(buffer)
        self.updates += 1

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.denoiser(x_t, t, labels)
