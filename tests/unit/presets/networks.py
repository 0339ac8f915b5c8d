"""What the tests of the presets share."""

import torch
from torch import Tensor, nn


class Tiny(nn.Module):
    """A random network in double precision that knows the time and is not linear."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, dtype=torch.float64)
        for parameter in self.conv.parameters():
            parameter.data = torch.randn(
                parameter.shape, generator=generator, dtype=torch.float64
            ).mul(0.3)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.tanh(self.conv(x) + t[:, None, None, None])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moment(t: float, like: Tensor) -> Tensor:
    return torch.full((len(like),), t, dtype=torch.float64)
