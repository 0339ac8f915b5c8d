"""How likely an image is at every severity and noise, if the data were Gaussian."""

import math

import torch
from torch import Tensor

from ..denoisers import GaussianDenoiser
from ..operators import Diagonal, Scale

__all__ = ["log_likelihood"]

#: Contrasts that an image may have relative to the data, in variance: from 1/8 to 8.
_CONTRASTS = torch.linspace(-3, 3, 9, dtype=torch.float64).exp2()

#: Coefficients whose variances agree to this factor are counted together, so that the work for
#: every noise and contrast does not grow with the image: the variance of each is then within 10 %.
_WIDTH = math.log(1.2)

#: Variances of the data below this share of the noise's are nothing.
_NOTHING = 1e-3

#: Numbers that are held in memory at a time, in double precision.
_NUMBERS = 10_000_000


def log_likelihood(
    linear: GaussianDenoiser, y: Tensor, severities: Tensor, noises: Tensor
) -> Tensor:
    r"""The logarithm of the likelihood of images of unknown contrast c, up to a constant.

    .. math:: \log \frac1J \sum_c \prod_k N(Y_k;\; \lambda_k m_k,\;
        \lambda_k^2 c\, v_k + \sigma_y^2)

    Arguments:
        linear: Mean and spectrum of the data, in the transform of its process.
        y: Images, (B, C, ...).
        severities: The severities that are compared, float64, (K,).
        noises: The noise levels that are compared, float64, (S,), >= 0.

    Returns:
        One value for every image, severity and noise, (B, K, S).
    """
    together = max(1, _NUMBERS // y[0].numel())
    parts = [_of_batch(linear, part, severities, noises) for part in y.split(together)]
    return torch.cat(parts)


def _of_batch(linear: GaussianDenoiser, y: Tensor, severities: Tensor, noises: Tensor) -> Tensor:
    transform, corruption = linear.transform, linear.process.corruption
    Y = transform.forward(y.cpu().double())  # not all devices have doubles
    m = transform.forward(linear.mean.cpu().double()[None])
    v = linear.spectrum.cpu().double()[None]
    rounding = torch.finfo(y.dtype).eps
    noise = noises.cpu().double() ** 2 + rounding**2
    columns = []
    for severity in severities.cpu().double():
        operator = corruption.at(severity)
        assert isinstance(operator, Diagonal | Scale)  # as the exact denoiser has checked
        lam = operator.diagonal(v)
        missed = (Y - lam * m).flatten(1).square()
        columns.append(_column(missed, (lam**2 * v).flatten(), noise))
    return torch.stack(columns, dim=1)


def _column(missed: Tensor, power: Tensor, noise: Tensor) -> Tensor:
    """The logarithm of the likelihood at one severity, (B, S).

    Arguments:
        missed: Squared distances of the coefficients from their means, (B, n).
        power: The variance of the data in each, (n,).
        noise: The variances of the noise, (S,).
    """
    least = _NOTHING * noise.min()
    _, group = ((power / least).clamp(min=1).log() / _WIDTH).ceil().unique(return_inverse=True)
    count = torch.bincount(group).double()
    mean = torch.bincount(group, power) / count
    sums = missed.new_zeros(len(missed), len(count)).index_add_(1, group, missed)
    variance = _CONTRASTS[:, None, None] * mean + noise[:, None]  # (J, S, groups)
    terms = sums @ variance.reciprocal().flatten(0, 1).T + (variance.log() @ count).flatten()
    return (-0.5 * terms.reshape(len(missed), len(_CONTRASTS), -1)).logsumexp(dim=1)
