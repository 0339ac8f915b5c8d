"""What a restoration gives."""

from dataclasses import dataclass

from torch import Tensor

from .severity import Estimate

__all__ = ["Restoration"]


@dataclass(frozen=True)
class Restoration:
    r"""Restored images, and how well they explain the degraded ones.

    Attributes:
        samples: S samples of what each of the B images may have been, (S, B, C, ...).
        residual: The root mean square of :math:`A x - y` over the values of y, for every sample,
            (S, B). A sample explains the image where it is close to the noise in y.
        t: The time from which each image was restored, (B,).
        severity: The severity of each image, given or estimated, (B,); None for another operator.
        estimate: The severity with its uncertainty, where it was not given.
        sigma_y: The noise of each image, given or estimated, (B,).
        noise: The noise with its uncertainty, where it was estimated.
        route: The route that each image took, "level" or "operator".
        warnings: What speaks against the restoration, each in one sentence; they were given as
            warnings, too.
    """

    samples: Tensor
    residual: Tensor
    t: Tensor
    severity: Tensor | None
    estimate: Estimate | None
    sigma_y: Tensor
    noise: Estimate | None
    route: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def mean(self) -> Tensor:
        """The mean of the samples, (B, C, ...): closest to the original in mean square."""
        return self.samples.mean(dim=0)

    @property
    def std(self) -> Tensor:
        """The standard deviation of every pixel over the samples, (B, C, ...).

        Raises:
            ValueError: If there is but one sample.
        """
        if len(self.samples) < 2:
            raise ValueError("A standard deviation needs at least 2 samples, but there is 1.")
        return self.samples.std(dim=0)
