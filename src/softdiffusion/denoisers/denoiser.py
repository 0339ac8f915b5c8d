"""Denoisers: anything that predicts the clean image from a corrupted one."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ..checks import check_labels, check_range
from ..process import SoftDiffusion
from .preconditioning import Preconditioning, Residual

__all__ = ["BaseDenoiser", "ClippedDenoiser", "Denoiser"]


class BaseDenoiser(nn.Module, ABC):
    """A function (x_t, t) -> x0_hat together with the process that it undoes.

    Whatever wraps a denoiser is a denoiser, so that every sampler works with all of them.
    """

    process: SoftDiffusion
    #: The number of classes that it can be told; 0 if it knows none.
    classes: int = 0

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
            ValueError: If labels are given to a denoiser without classes, or are out of range, a
                time lies outside [0, 1], or times or output do not fit the images.
        """


class Denoiser(BaseDenoiser):
    r"""A network with its inputs and outputs brought to scale.

    .. math:: h(x_t, t) = c_\text{skip}\, x_t + c_\text{out}\, F(c_\text{in}\, x_t, t)

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
        self.classes = getattr(backbone, "classes", 0)

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        t = check_range("The time t", t, 0.0, 1.0)
        if t.numel() not in (1, len(x_t)):
            raise ValueError(
                f"{len(x_t)} images need one time, or one each, but t holds {t.numel()}."
            )
        # Half precision would let neighbouring times fall together.
        t = t.to(x_t.device, torch.promote_types(x_t.dtype, torch.float32)).expand(len(x_t))
        c_skip, c_out, c_in = self.preconditioning(self.process, x_t, t)
        labels = check_labels(labels, self.classes, len(x_t))
        condition = () if labels is None else (labels.to(x_t.device),)
        output = self.backbone((c_in * x_t).to(x_t.dtype), t, *condition)
        if output.shape != x_t.shape:
            raise ValueError(
                f"A backbone must keep the shape of its images, {tuple(x_t.shape)}, but "
                f"{type(self.backbone).__name__} returned {tuple(output.shape)}."
            )
        return (c_skip * x_t + c_out * output).to(x_t.dtype)


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
