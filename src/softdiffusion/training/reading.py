"""What a step tells: its losses, the norm of its gradient and whether a stop was asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .options import TrainingOptions

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Reading", "check_finite"]


@dataclass(frozen=True)
class Reading:
    """The numbers of one step, of all processes, on their way to the processor.

    Nobody waits for them until they are asked for, so that a GPU has its next step by then.

    Attributes:
        position: The images seen before the step.
    """

    position: int
    _values: Tensor
    _norm: Tensor
    _arrived: torch.cuda.Event | None

    @classmethod
    def of(
        cls,
        accelerator: "Accelerator",
        position: int,
        t: Tensor,
        loss: Tensor,
        weight: Tensor,
        norm: Tensor,
        signum: int,
    ) -> "Reading":
        """Gathers what the processes have found, in one message.

        Arguments:
            accelerator: Knows the processes.
            position: The images seen before the step.
            t: The times of this process's images, (B,).
            loss: Their losses, (B,).
            weight: Their weights, (B,).
            norm: The norm of the gradient, the same in all processes.
            signum: The signal that this process has heard, or 0.
        """
        heard = torch.full_like(loss, signum)
        own = torch.stack([t.to(loss), loss.detach(), weight.to(loss), heard], dim=1)
        is_late = own.device.type == "cuda"
        values = accelerator.gather(own).to("cpu", non_blocking=is_late)
        norm = norm.detach().to("cpu", non_blocking=is_late)
        arrived = None
        if is_late:
            arrived = torch.cuda.Event()
            arrived.record()
        return cls(position, values, norm, arrived)

    @property
    def t(self) -> Tensor:
        """The times, (batch_size,)."""
        return self._here()[:, 0]

    @property
    def loss(self) -> Tensor:
        """The losses, (batch_size,)."""
        return self._here()[:, 1]

    @property
    def weight(self) -> Tensor:
        """Their weights in the average over all times, (batch_size,)."""
        return self._here()[:, 2]

    @property
    def signum(self) -> int:
        """The signal that one of the processes has heard, or 0."""
        return int(self._here()[:, 3].max())

    @property
    def norm(self) -> Tensor:
        """The norm of the gradient, ()."""
        self._here()
        return self._norm

    @property
    def finite_norm(self) -> float | None:
        """The norm of the gradient, or None if it is not finite."""
        return float(self.norm) if torch.isfinite(self.norm) else None

    def check(self, options: TrainingOptions) -> None:
        """Raises unless the step may be taken.

        Raises:
            ValueError: If the loss or its gradient is not finite.
        """
        check_finite("loss", self.loss, self.position, options)
        if options.precision != "fp16":  # whose scaler leaves such a step out
            check_finite("gradient of the loss", self.norm, self.position, options)

    def _here(self) -> Tensor:
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._values


def check_finite(name: str, values: Tensor, images: int, options: TrainingOptions) -> None:
    """Raises unless all values are finite after so many images.

    Raises:
        ValueError: If one is not.
    """
    if torch.isfinite(values).all():
        return
    if images == 0:  # nothing was learned yet
        raise ValueError(
            f"The {name} is not finite after 0 images; check the schedule for sigma = 0 and for "
            "severities that are too large, and the weights that the network begins with."
        )
    raise ValueError(
        f"The {name} is not finite after {images} images; lower the learning rate "
        f"(now {options.learning_rate:g}), and the training goes on after its last checkpoint, or "
        "check the schedule for sigma = 0."
    )
