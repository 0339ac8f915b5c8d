"""Denoisers: anything that predicts the clean image from a corrupted one."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import checked
from ..checks import (
    ImageLike,
    as_images,
    check_labels,
    check_one_label_each,
    check_range,
    shown,
)
from ..process import SoftDiffusion
from .preconditioning import Preconditioning, Residual

__all__ = ["BaseDenoiser", "ClippedDenoiser", "Denoiser"]


class BaseDenoiser(nn.Module, ABC):
    """A function (x_t, t) -> x0_hat together with the process that it undoes.

    Whatever wraps a denoiser is a denoiser, so that every sampler works with all of them. Images
    come in any precision, and so does the network: see `Denoiser`.
    """

    process: SoftDiffusion
    #: The number of classes that it can be told; 0 if it knows none.
    classes: int = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "forward" in cls.__dict__:
            cls.forward = _on_batches(cls.forward)  # type: ignore[method-assign]

    @abstractmethod
    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Predicts the clean images.

        Arguments:
            x_t: Corrupted images, (B, C, ...).
            t: One time for all, shape (), or one a sample, shape (B,).
            labels: The class of every image, int64, (B,), in [0, classes); -1 leaves it open, and
                None leaves all open.

        Returns:
            The prediction x0_hat, in the shape of `x_t`.

        Raises:
            TypeError: If images, times or labels are nothing of the kind.
            ValueError: If labels are given to a denoiser without classes, or are out of range, a
                time lies outside [0, 1], or times, labels or output do not fit the images.
        """


Forward = Callable[..., Tensor]


def _on_batches(forward: Forward) -> Forward:
    """What a denoiser does, to all that is taken for a batch with its times and labels."""

    @functools.wraps(forward)
    def on_batches(
        self: BaseDenoiser, x_t: ImageLike, t: float | Tensor, labels: Tensor | None = None
    ) -> Tensor:
        x_t = as_images("The images x_t", x_t)
        t = check_range("The time t", t, 0.0, 1.0)
        if t.numel() not in (1, len(x_t)):
            raise ValueError(
                f"{len(x_t)} images need one time, or one each, but t holds {t.numel()}."
            )
        if labels is None:
            return forward(self, x_t, t)
        check_one_label_each(labels, len(x_t))
        return forward(self, x_t, t, labels)

    return on_batches


def network_type(network: nn.Module, default: torch.dtype) -> torch.dtype:
    """The type in which a network computes: that of its first real weights, if it has some."""
    weights = (weight.dtype for weight in network.parameters() if weight.is_floating_point())
    return next(weights, default)


@checked
class Denoiser(BaseDenoiser):
    r"""A network with its inputs and outputs brought to scale.

    .. math:: h(x_t, t) = c_\text{skip}\, x_t + c_\text{out}\, F(c_\text{in}\, x_t, t)

    The network is called in the type of its weights, with times in single precision at least; the
    rest is computed in the precision of the images, which the result has, too.

    Arguments:
        backbone: The network F, called with a batch (B, C, ...) and one time a sample (B,). One
            that has an attribute `classes` > 0 is called with the labels, too.
        process: The process that it undoes.
        preconditioning: Gives the three factors; the default is the residual of Daras et al.
            2022, :math:`h = F(x_t, t) + x_t`.
    """

    def __init__(
        self,
        backbone: nn.Module,
        process: SoftDiffusion,
        preconditioning: Preconditioning | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.process = process
        self.preconditioning = preconditioning or Residual()
        self.classes = getattr(getattr(backbone, "module", backbone), "classes", 0)

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        dtype = network_type(self.backbone, x_t.dtype)
        # Half precision would let neighbouring times fall together.
        t = t.to(x_t.device, torch.promote_types(dtype, torch.float32)).expand(len(x_t))
        c_skip, c_out, c_in = self.preconditioning(self.process, x_t, t)
        labels = check_labels(labels, self.classes, len(x_t))
        condition = () if labels is None else (labels.to(x_t.device),)
        channels = getattr(self.backbone, "channels", x_t.shape[1])
        if isinstance(channels, int) and channels != x_t.shape[1]:
            raise ValueError(
                f"The network is for images of {channels} channels, but got images of shape "
                f"{tuple(x_t.shape[1:])}."
            )
        output = self.backbone((c_in * x_t).to(dtype), t, *condition)
        if not isinstance(output, Tensor) or output.shape != x_t.shape:
            returned = tuple(output.shape) if isinstance(output, Tensor) else shown(output)
            raise ValueError(
                f"A backbone must keep the shape of its images, {tuple(x_t.shape)}, but "
                f"{type(self.backbone).__name__} returned {returned}."
            )
        return (c_skip * x_t + c_out * output).to(x_t.dtype)


@checked
class ClippedDenoiser(BaseDenoiser):
    """Clips what another denoiser predicts to the range of the images.

    Arguments:
        denoiser: The denoiser to clip.
        low: The smallest value.
        high: The largest value.

    Raises:
        ValueError: If the range is empty.
    """

    def __init__(self, denoiser: BaseDenoiser, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        if not low < high:
            raise ValueError(f"The range must be (low, high), but is {(low, high)}.")
        self.denoiser = denoiser
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.low = low
        self.high = high

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.denoiser(x_t, t, labels).clamp(self.low, self.high)
