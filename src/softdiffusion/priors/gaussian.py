"""A Gaussian start."""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import ImageLike, ImageSet
from ..chunks import Chunks
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
        data: ImageSet | ImageLike,
        tolerance: float = 0.01,
        max_modes: int = 256,
        progress: bool = True,
    ) -> "GaussianPrior":
        r"""Takes the principal components of :math:`C_1 x_0` that outlive the noise.

        Those are the ones with a variance above `tolerance` :math:`\sigma_1^2`; without noise,
        all with a variance above rounding. The `max_modes` strongest of them are kept;
        `explained` says what share of the variance that is.

        The images are read a part at a time, so that beside them it takes less than 500 MB up to
        64x64 pixels in colour. Images of more than 1,024 numbers are looked at in the transform
        that makes :math:`C_1` diagonal, if there is one, without the coefficients that it
        suppresses below the rounding of single precision: after a strong blur a few hundred remain.
        Eigenvectors are exact up to 4,096 coordinates, or up to 4,096 images with 33 million
        numbers in all, and come from a subspace iteration, which reads the images seven times,
        beyond.

        Arguments:
            process: The process.
            data: Clean images, (N, C, H, W), or a set of them, such as `softdiffusion.data.Images`.
            tolerance: The smallest signal-to-noise ratio of a mode, > 0.
            max_modes: The largest number of modes, >= 1.
            progress: Whether a bar is shown where it takes more than two seconds.

        Raises:
            ValueError: If an argument is out of range, the data are not finite, or there are too
                few images to tell how many modes survive.
        """
        found = surviving_modes(process, Chunks(data), tolerance, max_modes, progress)
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
