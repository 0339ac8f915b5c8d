"""The loss on images that a training does not see."""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..arguments import checked
from ..data import Images, Stream
from ..denoisers import BaseDenoiser
from ..objectives import Objective
from ..random import generators, randn
from .labels import labels_of
from .times import LEVELS, stratified

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Validation", "check_held_out"]


def check_held_out(held_out: Images, data: Images | Stream, classes: int) -> None:
    """Raises unless images that are held out are of the kind that a training sees.

    Arguments:
        held_out: The images that are held out.
        data: The training images.
        classes: The number of classes that the denoiser can be told.

    Raises:
        ValueError: If their shape is another, labels are missing, or their classes are others.
    """
    if held_out.shape != data.shape:
        raise ValueError(
            f"The images of {held_out.name} that are held out have shape {held_out.shape}, but "
            f"those of the training {data.shape}; give them in the same size and channels."
        )
    labels_of(held_out, classes)
    if classes and held_out.classes != data.classes:
        raise ValueError(
            f"The classes of {held_out.name} that are held out are {held_out.classes}, but those "
            f"of the training {data.classes}; give images of the same classes, in the same order."
        )


@checked
class Validation:
    r"""The loss of a denoiser on held-out images, with the same times and noise every time.

    .. math:: L = \frac{1}{n} \sum_{i=1}^n \ell(x_i, t_i, \eta_i)

    The times are stratified, so that every level has the same share of them. Images, times and
    noise are a pure function of the seed: two values differ by the weights alone, whatever the
    batch size and the number of processes, up to rounding.

    Arguments:
        data: The images that are held out.
        objective: The loss.
        count: How many images are taken, at random, rounded up to a multiple of the ten levels;
            of fewer images all are taken, and some of them twice where they are no multiple.
        seed: The seed of images, times and noise.

    Raises:
        ValueError: If no image is asked for.
    """

    def __init__(
        self, data: Images, objective: Objective, count: int = 1_000, seed: int = 0
    ) -> None:
        if count < 1:
            raise ValueError(f"At least one image is validated on, not {count}.")
        self.data = data
        self.objective = objective
        self.seed = seed
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(data), generator=generator)[:count]
        self.per_level = -(-len(order) // LEVELS)
        pairs = torch.arange(LEVELS * self.per_level)
        self.indices = order[pairs % len(order)]
        self.t = stratified(len(pairs), generator)

    def __call__(
        self, denoiser: BaseDenoiser, batch_size: int, accelerator: "Accelerator"
    ) -> dict[str, Any]:
        """Returns `validation_loss` and, of the ten levels of time, `validation_loss_per_level`.

        Every process has to call it; each takes its share, and all return the same numbers.

        Arguments:
            denoiser: The denoiser, on the accelerator's device; a network with classes is told the
                labels. It is used in evaluation mode, and left in its own.
            batch_size: Images that are read and denoised at a time, in every process.
            accelerator: The processes.

        Raises:
            ValueError: If a loss is not finite.
        """
        share = slice(accelerator.process_index, None, accelerator.num_processes)
        sums = self.sums(denoiser, batch_size, accelerator.device, share)
        if accelerator.num_processes > 1:
            sums = accelerator.reduce(sums.to(accelerator.device), reduction="sum").cpu()
        means = sums / self.per_level
        if not torch.isfinite(means).all():
            level = int(torch.isfinite(means).logical_not().nonzero()[0])
            raise ValueError(
                f"The loss on the images of {self.data.name} that are held out is {means[level]:g} "
                f"at times of {level / LEVELS:g} to {(level + 1) / LEVELS:g}; lower the learning "
                "rate, or check the schedule for sigma = 0."
            )
        return {
            "validation_loss": float(means.mean()),
            "validation_loss_per_level": means.tolist(),
        }

    @torch.no_grad()
    def sums(
        self,
        denoiser: BaseDenoiser,
        batch_size: int,
        device: torch.device | str = "cpu",
        share: slice = slice(None),
    ) -> Tensor:
        """The sums of the losses at each level, (10,), float64, over a share of the images.

        The sums of several shares add up to those of all images.
        """
        labels = labels_of(self.data, denoiser.classes)
        modes = {module: module.training for module in denoiser.modules()}
        sums = torch.zeros(LEVELS, dtype=torch.float64)
        denoiser.eval()
        try:
            for pairs in torch.arange(len(self.t))[share].split(batch_size):
                x0 = self.data.batch(self.indices[pairs]).to(device)
                noise = randn(x0.shape, generators(self.seed, pairs), device=device)
                t = self.t[pairs].to(device)
                told: dict[str, Tensor] = {}
                if labels is not None:
                    told["labels"] = labels[self.indices[pairs]].to(device)
                loss = self.objective(denoiser.process, partial(denoiser, **told), x0, t, noise)
                sums.index_add_(0, pairs // self.per_level, loss.double().cpu())
        finally:
            for module, mode in modes.items():
                module.training = mode
        return sums
