"""A Gaussian start."""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike
from ..process import SoftDiffusion
from ..random import Generator, randn
from .modes import check_modes, summary, surviving_modes
from .prior import Prior, assemble

__all__ = ["GaussianPrior"]


@checked
class GaussianPrior(Prior):
    r"""A Gaussian on the modes that outlive the noise, with independent coefficients.

    .. math:: x_1 = m + \sum_k z_k u_k + \sigma_1 \eta, \qquad z_k, \eta \sim N(0, 1)

    Arguments:
        process: The process; it supplies :math:`\sigma_1`.
        mean: The mean m of the corrupted data, (C, H, W).
        modes: The modes :math:`u_k`, orthogonal, each as long as its standard deviation,
            (K, C, H, W); K may be 0.
        explained: The share of the corrupted data's variance that the modes hold, in [0, 1], for
            information; None if it is unknown.

    Raises:
        ValueError: If shapes do not fit, numbers are not real, or the share is out of range.
    """

    def __init__(
        self,
        process: SoftDiffusion,
        mean: Tensor,
        modes: Tensor,
        explained: float | None = None,
    ) -> None:
        check_modes(mean, modes, explained)
        self.process = process
        self.mean = mean
        self.modes = modes
        self.explained = explained

    @classmethod
    @checked
    def fit(
        cls,
        process: SoftDiffusion,
        data: ImageLike,
        tolerance: float = 0.01,
        max_modes: int = 256,
    ) -> "GaussianPrior":
        r"""Takes the principal components of :math:`C_1 x_0` that outlive the noise.

        Those are the ones with a variance above `tolerance` :math:`\sigma_1^2`; without noise,
        all with a variance above rounding. The `max_modes` strongest of them are kept;
        `explained` says what share of the variance that is. Eigenvectors are exact up to 4,096
        images or coordinates, whichever are fewer, and come from a subspace iteration beyond.

        Arguments:
            process: The process.
            data: Clean images, (N, C, H, W).
            tolerance: The smallest signal-to-noise ratio of a mode, > 0.
            max_modes: The largest number of modes, >= 1.

        Raises:
            ValueError: If an argument is out of range, the data are not finite, or there are too
                few images to tell how many modes survive.
        """
        found = surviving_modes(process, data, tolerance, max_modes)
        return cls(process, found.mean.float(), found.modes.float(), found.explained)

    def sample(
        self,
        n: int,
        generator: Generator = None,
        device: torch.device | str = "cpu",
        labels: Tensor | None = None,
    ) -> Tensor:
        z = randn((n, len(self.modes)), generator, device=device)
        return assemble(self.process, self.mean, self.modes, z, generator)

    def __repr__(self) -> str:
        return f"GaussianPrior({summary(self.modes, self.explained)})"
