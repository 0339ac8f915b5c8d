"""A small U-Net for images of up to about 64 pixels, meant for processors without a GPU."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import checked
from ..checks import check_count, check_range

__all__ = ["SmallUNet"]


@checked
class SmallUNet(nn.Module):
    """A U-Net of residual blocks that are shifted and scaled by the time.

    Sizes need not be divisible by anything: images are padded by replication and cropped back.

    Arguments:
        channels: The channels of an image.
        width: The channels of the first level; those of the other levels are its multiples.
        multipliers: One factor a level, each level at half the resolution of the one before.
        blocks: Residual blocks a level, on the way down and on the way up.
        attention: Whether the coarsest level has self-attention.
        dropout: The share of activations dropped in training.
        classes: The number of classes that it can be told; 0 for none.

    Raises:
        ValueError: If the width is not a positive multiple of 8, there is no channel, block or
            level, or a multiplier is below 1.
    """

    def __init__(
        self,
        channels: int,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 3),
        blocks: int = 1,
        attention: bool = True,
        dropout: float = 0.0,
        classes: int = 0,
    ) -> None:
        super().__init__()
        if width < 8 or width % 8 or min([channels, blocks, *multipliers, len(multipliers)]) < 1:
            raise ValueError(
                "A U-Net needs a positive width that is a multiple of 8 and at least one channel, "
                f"one block and one level, with multipliers >= 1, but has width {width}, channels "
                f"{channels}, blocks {blocks} and multipliers {tuple(multipliers)}."
            )
        check_extent(channels, width, multipliers, blocks, classes, dropout)
        self.channels = channels
        self.width = width
        self.multipliers = tuple(multipliers)
        self.blocks = blocks
        self.attention = attention
        self.dropout = dropout
        self.classes = classes

        embedding = 4 * width
        self.time = nn.Sequential(
            TimeFeatures(width),
            nn.Linear(width, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
        )
        if classes:
            self.label = nn.Embedding(classes + 1, embedding)  # the last row stands for no class
        widths = [width * multiplier for multiplier in self.multipliers]
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList()
        skips = [width]
        current = width
        for level, wide in enumerate(widths):
            if level:
                self.down.append(Downsample(current))
                skips.append(current)
            for _ in range(blocks):
                self.down.append(ResidualBlock(current, wide, embedding, dropout))
                current = wide
                skips.append(current)
        self.middle = nn.ModuleList([ResidualBlock(current, current, embedding, dropout)])
        if attention:
            self.middle.append(SelfAttention(current))
        self.middle.append(ResidualBlock(current, current, embedding, dropout))
        self.up = nn.ModuleList()
        for level, wide in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.up.append(ResidualBlock(current + skips.pop(), wide, embedding, dropout))
                current = wide
            if level:
                self.up.append(Upsample(current))
        self.last = nn.Sequential(
            nn.GroupNorm(8, current), nn.SiLU(), zeroed(nn.Conv2d(current, channels, 3, padding=1))
        )

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Returns a tensor in the shape (B, C, H, W) of `x`.

        Arguments:
            x: The images.
            t: One time a sample, (B,).
            labels: The class of every image, (B,), -1 for none; read if there are `classes`.
        """
        check_planes(x)
        height, width = x.shape[-2:]
        factor = 2 ** (len(self.multipliers) - 1)
        h = F.pad(x, (0, -width % factor, 0, -height % factor), mode="replicate")
        h = self.first(h.contiguous(memory_format=torch.channels_last))
        features, *layers = self.time
        embedding = features(t).to(x.dtype)
        for layer in layers:
            embedding = layer(embedding)
        if self.classes:
            if labels is None:
                labels = torch.full_like(t, -1, dtype=torch.int64)
            embedding = embedding + self.label(labels % (self.classes + 1))  # -1 is the last row
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding)
            skips.append(h)
        for layer in self.middle:
            h = layer(h, embedding)
        for layer in self.up:
            if isinstance(layer, ResidualBlock):
                h = torch.cat([h, skips.pop()], dim=1)
            h = layer(h, embedding)
        # A tensor of its own also where nothing is cropped: of views FSDP warns.
        return self.last(h)[..., :height, :width].clone(memory_format=torch.contiguous_format)


def check_planes(x: Tensor) -> None:
    """Raises unless the images of a network have two axes.

    Raises:
        ValueError: If they are lines or volumes.
    """
    if x.ndim != 4:
        raise ValueError(
            f"A U-Net is for images (B, C, H, W), but got ones of shape {tuple(x.shape)}."
        )


class TimeFeatures(nn.Module):
    """Sines and cosines of the time, at geometric frequencies from half a turn to 500 turns."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, t: Tensor) -> Tensor:
        # Not a buffer: that would be rounded with a network in half precision.
        exponents = torch.linspace(0, 1, self.size // 2, dtype=t.dtype, device=t.device)
        phase = t[:, None] * (math.pi * 1000**exponents)
        return torch.cat([phase.cos(), phase.sin()], dim=1)


class ResidualBlock(nn.Module):
    """Two convolutions; the time shifts and scales what lies between them."""

    def __init__(self, inputs: int, outputs: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(8, inputs)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm_2 = nn.GroupNorm(8, outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv_2 = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_1(F.silu(self.norm_1(x)))
        scale, shift = self.modulation(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.norm_2(h) * (1 + scale) + shift
        h = self.conv_2(self.dropout(F.silu(h)))
        return self.skip(x) + h


class SelfAttention(nn.Module):
    """Every position looks at every other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = zeroed(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        batch, width, rows, columns = x.shape
        tokens = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)
        q, k, v = tokens.reshape(batch, rows * columns, 3, width).unbind(dim=2)
        h = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.out(h.transpose(1, 2).reshape(batch, width, rows, columns))


class Downsample(nn.Module):
    """Half the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    """Twice the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Starts a layer at zero, so that its block starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def check_extent(
    channels: int,
    width: int,
    multipliers: Sequence[int],
    blocks: int,
    classes: int,
    dropout: float,
) -> None:
    """Raises unless a U-Net is of a size that can be built.

    Raises:
        ValueError: If an argument is beyond its limits.
    """
    for name, value, most in (
        ("The channels", channels, 1024),
        ("The width", width, 1024),
        ("The blocks", blocks, 64),
        ("The classes", classes, 100_000),
        ("The number of multipliers", len(multipliers), 16),
        ("A multiplier", max(multipliers), 64),
    ):
        check_count(f"{name} of a U-Net", value, 0, most)
    check_range("The dropout of a U-Net", dropout, 0.0, 1.0)
