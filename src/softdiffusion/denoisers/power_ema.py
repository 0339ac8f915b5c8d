r"""Averages of a denoiser's weights over a fixed share of its training, and of any other share.

With :math:`\theta(\tau)` the weights after :math:`\tau` images, an average by a power of time is

.. math:: \bar\theta_\gamma(t) = \int_0^t p(\tau)\, \theta(\tau)\, d\tau, \qquad
    p(\tau) = (\gamma + 1)\, \tau^\gamma / t^{\gamma + 1}.

The standard deviation of :math:`p`, as a share of t, is its relative length

.. math:: \ell = \sqrt{(\gamma + 1) / ((\gamma + 2)^2 (\gamma + 3))},

whatever t is, so it forgets the start by itself, and more images need no other setting. Averages of
two lengths that were kept at several times span those of other lengths, to a residual that is known
beforehand. Source: Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion
Models", Section 3 and Appendix C.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..arguments import checked
from .denoiser import BaseDenoiser
from .ema import follow, followed

__all__ = [
    "LONGEST",
    "PowerEMA",
    "check_length",
    "check_lengths",
    "combination",
    "gamma_of",
    "length_of",
]

#: The length of the plain mean over the whole training, gamma = 0.
LONGEST = 1 / math.sqrt(12)

#: The shortest length, a thousandth of the training.
_SHORTEST = 1e-3


def length_of(gamma: float) -> float:
    """The relative length of the average with an exponent, which is >= 0."""
    return math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)))


def gamma_of(length: float) -> float:
    r"""The exponent of the average with a relative length.

    It is the largest root of :math:`(\gamma + 2)^2 (\gamma + 3) \ell^2 = \gamma + 1`.

    Raises:
        ValueError: If the length lies outside [0.001, 0.2887].
    """
    check_length(length)
    rest = 1 / length**2
    return max(float(np.roots([1, 7, 16 - rest, 12 - rest]).real.max()), 0.0)


def check_length(length: float) -> None:
    """Raises unless it is the relative length of an average.

    Raises:
        ValueError: If the length lies outside [0.001, 0.2887].
    """
    if not _SHORTEST <= length <= LONGEST:
        raise ValueError(
            f"The length of an average, as a share of the training, must be in [{_SHORTEST:g}, "
            f"{LONGEST:.4g}], where the longest is the plain mean, but is {length:g}."
        )


def check_lengths(lengths: Sequence[float]) -> None:
    """Raises unless averages of these lengths can be kept.

    Raises:
        ValueError: If one lies outside [0.001, 0.2887], or is there twice.
    """
    for length in lengths:
        check_length(length)
        if [f"{one:g}" for one in lengths].count(f"{length:g}") > 1:
            raise ValueError(f"The length {length:g} of an average is there twice; give it once.")


@checked
class PowerEMA(BaseDenoiser):
    r"""The average of a denoiser over a fixed share of the training so far.

    .. math:: \bar\theta \leftarrow \beta\,\bar\theta + (1 - \beta)\,\theta,
        \qquad \beta = (1 - 1/k)^{\gamma + 1}

    at the k-th update, counted from 1. After K of them the weights of step k have the share
    :math:`(k^{\gamma + 1} - (k - 1)^{\gamma + 1}) / K^{\gamma + 1}`, the integral of
    :math:`p(\tau)` over the step. It is kept in single precision at least.

    Arguments:
        denoiser: The denoiser to follow; it is copied, never changed.
        length: The relative length, in [0.001, 0.2887].

    Raises:
        ValueError: If the length lies outside.
    """

    updates: Tensor

    def __init__(self, denoiser: BaseDenoiser, length: float) -> None:
        super().__init__()
        self.gamma = gamma_of(length)
        self.denoiser = followed(denoiser)
        self.process = denoiser.process
        self.classes = denoiser.classes
        self.length = length
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    @checked
    def update(self, denoiser: BaseDenoiser) -> None:
        """Moves the average towards the denoiser's present weights; buffers are copied.

        Raises:
            ValueError: If its weights have other shapes.
        """
        k = int(self.updates) + 1
        share = 1.0 if k == 1 else -math.expm1((self.gamma + 1) * math.log1p(-1 / k))
        follow(self.denoiser, denoiser, share)
        self.updates += 1

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.denoiser(x_t, t, labels)


def combination(
    kept: Sequence[tuple[float, int]], length: float, images: int
) -> tuple[np.ndarray, float]:
    r"""The weights :math:`x` by which averages that were kept give another one.

    They minimise :math:`\lVert p - \sum_i x_i p_i \rVert` in :math:`L_2` among those that add up to
    1, so that weights of the network that stood still are met exactly. With the closed form

    .. math:: \langle p_i, p_j \rangle =
        \frac{(\gamma_i + 1)(\gamma_j + 1)}{(\gamma_i + \gamma_j + 1)\, m}
        \left(\frac{m}{t_i}\right)^{\gamma_i + 1} \left(\frac{m}{t_j}\right)^{\gamma_j + 1},
        \qquad m = \min(t_i, t_j),

    that is a linear system, solved in double precision.

    Arguments:
        kept: The relative length of every average, and the count of images after which it was kept.
        length: The relative length of the average that is asked for.
        images: The count of images after which it is asked for.

    Returns:
        The weights, and the residual :math:`\lVert p - \sum_i x_i p_i \rVert / \lVert p \rVert`:
        0 if the average is met exactly. The error of any weight of the network is at most this
        share of :math:`\lVert p \rVert \lVert \theta - c \rVert`, whatever the constant c.

    Raises:
        ValueError: If a length lies outside its range.
    """
    g = np.array([gamma_of(one) + 1 for one, _ in kept] + [gamma_of(length) + 1])
    t = np.array([time for _, time in kept] + [images], dtype=np.float64)
    t /= t.max()
    m = np.minimum(t[:, None], t)
    powers = np.exp(g[:, None] * np.log(m / t[:, None]))  # may underflow, but not overflow
    products = g[:, None] * g / ((g[:, None] + g - 1) * m) * powers * powers.T
    count = len(kept)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = products[:count, :count]
    system[count, count] = 0.0
    wanted = np.append(products[:count, count], 1.0)
    weights = np.linalg.lstsq(system, wanted, rcond=None)[0][:count]
    signed = np.append(weights, -1.0)
    squared = max(float(signed @ products @ signed), 0.0)
    return weights, math.sqrt(squared / float(products[count, count]))
