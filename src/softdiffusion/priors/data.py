"""A start from the training images."""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike, check_data
from ..process import SoftDiffusion
from ..random import Generator, randn
from .prior import Prior, choose

__all__ = ["DataPrior"]


@checked
class DataPrior(Prior):
    """Draws training images and corrupts them: it needs the training images at sampling time.

    It is exact for the training set, but it is not a model of the data: it can't be saved with
    one, and every sample starts from what is left of a training image.

    Arguments:
        process: The process that corrupts them.
        data: Clean images, (N, C, H, W), N >= 1.

    Raises:
        ValueError: If there are no images, or not of finite real numbers.
    """

    def __init__(self, process: SoftDiffusion, data: ImageLike) -> None:
        self.process = process
        self.data = check_data(data)

    def sample(
        self,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        index = choose(torch.ones(len(self.data)), n, generator).to(self.data.device)
        x0 = self.data[index].to(device, torch.float32)
        return self.process.perturb(x0, 1.0, randn(x0.shape, generator, device=device))

    def __repr__(self) -> str:
        return (
            f"DataPrior({len(self.data)} training images; needs them at sampling time, and is not "
            "saved)"
        )
