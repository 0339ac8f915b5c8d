"""The U-Net of the library diffusers as a backbone."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import checked
from ..checks import check_count
from .unet import check_extent, check_planes

__all__ = ["DiffusersUNet"]


@checked
class DiffusersUNet(nn.Module):
    """`diffusers.UNet2DModel`, for any number of channels and any size of image.

    It is fed 1000 t, since its sinusoids hardly move over t in [0, 1]. Images are padded by
    replication to a size that every level can halve, and the result is cropped back.

    Arguments:
        channels: The channels of an image.
        size: The side of an image in pixels, or (height, width). It only decides which level has
            self-attention; images of other sizes are accepted.
        width: The channels of the first level, a multiple of 32; those of the other levels are
            its multiples.
        multipliers: One factor a level, each level at half the resolution of the one before.
        blocks: Residual blocks a level on the way down; there is one more on the way up.
        attention: The first level whose longer side is at most this many pixels has
            self-attention, and so has the bottom; None means no self-attention.
        dropout: The share of activations dropped in training.
        skip: Whether each level also sees the image itself, smoothed and shrunk, and adds its
            part to the output, as in NCSN++.
        classes: The number of classes that it can be told; 0 for none.

    Raises:
        ImportError: If diffusers is not installed.
        ValueError: If the width is not a multiple of 32, or there is no level.
    """

    unet: Any  # a UNet2DModel, whose inherited attributes its own annotations hide

    def __init__(
        self,
        channels: int,
        size: int | tuple[int, int],
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: int | None = 16,
        dropout: float = 0.0,
        skip: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        if width % 32 or width < 1 or not multipliers:
            raise ValueError(
                "This U-Net needs a width that is a multiple of 32 and at least one level, but has "
                f"width {width} and multipliers {tuple(multipliers)}."
            )
        if min(channels, blocks, *multipliers) < 1 or classes < 0:
            raise ValueError(
                "This U-Net needs at least one channel and block, multipliers >= 1 and no negative "
                f"number of classes, but has channels {channels}, blocks {blocks}, multipliers "
                f"{tuple(multipliers)} and classes {classes}."
            )
        longest = size if isinstance(size, int) else max(size)
        check_count("The size of a U-Net", longest, 0, 2**20)
        check_extent(channels, width, multipliers, blocks, classes, dropout)
        try:
            import diffusers
        except ImportError:
            raise ImportError(
                "DiffusersUNet needs diffusers: pip install 'softdiffusion[diffusers]'."
            ) from None
        self.channels = channels
        self.size = size
        self.width = width
        self.multipliers = tuple(multipliers)
        self.blocks = blocks
        self.attention = attention
        self.dropout = dropout
        self.skip = skip
        self.classes = classes

        kind = "Skip" if skip else ""
        attends = self._attends()
        down = [f"{'Attn' * yes}{kind}DownBlock2D" for yes in attends]
        up = [f"{'Attn' * yes}{kind}UpBlock2D" for yes in reversed(attends)]
        self.unet = diffusers.UNet2DModel(
            in_channels=channels,
            out_channels=channels,
            block_out_channels=tuple(width * multiplier for multiplier in self.multipliers),
            down_block_types=tuple(down),
            up_block_types=tuple(up),
            layers_per_block=blocks,
            mid_block_scale_factor=2**0.5 if skip else 1.0,
            add_attention=attention is not None,
            attention_head_dim=None,  # one head over all channels
            norm_num_groups=min(width // 4, 32),
            norm_eps=1e-6,
            dropout=dropout,
            num_class_embeds=classes + 1 if classes else None,  # the last one stands for no class
        )
        if skip and channels != 3:
            self._fit_skips()

    @classmethod
    def ncsnpp(
        cls,
        channels: int,
        size: int | tuple[int, int],
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 4,
        attention: int | None = 16,
        dropout: float = 0.1,
        classes: int = 0,
    ) -> "DiffusersUNet":
        """The shape of NCSN++ (Song et al. 2021), which Soft Diffusion uses for CelebA-64.

        What differs from it: the time is embedded by fixed sinusoids of 1000 t, and the output is
        not divided by sigma, since it predicts an image.
        """
        shape = (channels, size, width, multipliers, blocks, attention, dropout)
        return cls(*shape, skip=True, classes=classes)

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Returns a tensor in the shape (B, C, H, W) of `x`.

        Arguments:
            x: The images.
            t: One time a sample, (B,).
            labels: The class of every image, (B,), -1 for none; read if there are `classes`.
        """
        check_planes(x)
        height, width = x.shape[-2:]
        factor = self._factor
        padded = F.pad(x, (0, -width % factor, 0, -height % factor), mode="replicate")
        if self.classes:
            if labels is None:
                labels = torch.full_like(t, -1, dtype=torch.int64)
            labels = labels % (self.classes + 1)  # -1 is the last one
        output = self.unet(padded, 1000 * t, class_labels=labels).sample
        return output[..., :height, :width].clone()  # of views FSDP warns

    @property
    def _factor(self) -> int:
        return 2 ** (len(self.multipliers) - 1)

    def _attends(self) -> list[bool]:
        """Whether each level has self-attention: the first that is small enough."""
        longest = self.size if isinstance(self.size, int) else max(self.size)
        padded = longest + -longest % self._factor
        sides = [padded >> level for level in range(len(self.multipliers))]
        first = next((side for side in sides if side <= (self.attention or 0)), None)
        return [side == first for side in sides]

    def _fit_skips(self) -> None:
        """Replaces the convolutions from and to the image, which diffusers builds for RGB only."""
        for block in [*self.unet.down_blocks, *self.unet.up_blocks]:
            conv = block.skip_conv
            if conv is not None:
                reads = conv.in_channels == 3
                block.skip_conv = nn.Conv2d(
                    self.channels if reads else conv.in_channels,
                    conv.out_channels if reads else self.channels,
                    conv.kernel_size,
                    padding=conv.padding,
                )
