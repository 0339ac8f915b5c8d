"""Classifier-free guidance."""

import torch
from torch import Tensor

from ..arguments import checked
from .denoiser import BaseDenoiser

__all__ = ["GuidedDenoiser"]


@checked
class GuidedDenoiser(BaseDenoiser):
    r"""Moves a prediction away from the one without a class.

    .. math:: \hat x_0 = h(x_t, t) + \text{scale}\, (h(x_t, t, c) - h(x_t, t))

    Scale 0 ignores the class, 1 is the plain conditional prediction, and more trades variety for
    images that are typical of their class. Every call asks the network about both predictions, in
    one batch of twice the size. Source: Ho & Salimans 2022, Eq. 6, with their w = scale - 1.

    Arguments:
        denoiser: A denoiser with classes, trained with some labels left out.
        scale: The guidance scale, >= 0.

    Raises:
        ValueError: If the denoiser has no classes, or the scale is negative or not finite.
    """

    def __init__(self, denoiser: BaseDenoiser, scale: float) -> None:
        super().__init__()
        if not denoiser.classes:
            raise ValueError(
                "Guidance needs a model with classes, but this one has none; train a backbone "
                "with classes."
            )
        if not 0 <= scale < float("inf"):
            raise ValueError(f"The guidance scale must be finite and >= 0, but is {scale:g}.")
        self.denoiser = denoiser
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.scale = scale

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            return self.denoiser(x_t, t)
        both = torch.cat([torch.full_like(labels, -1), labels])
        open_, told = self.denoiser(
            x_t.repeat(2, *[1] * (x_t.ndim - 1)), t.expand(len(x_t)).repeat(2), both
        ).chunk(2)
        return open_ + self.scale * (told - open_)
