"""The handwritten digits that come with scikit-learn."""

import torch
from torch import Tensor

__all__ = ["DIGITS", "load_digits"]

#: The names of the classes.
DIGITS = tuple("0123456789")

_TEST_IMAGES = 300


def load_digits(split: str) -> tuple[Tensor, Tensor]:
    """Returns images (N, 1, 8, 8) in [-1, 1] and labels (N,).

    The 1,797 digits are shuffled once, by a fixed seed, since they are sorted by writer; the
    first 300 of them are the test split and the other 1,497 the training split.

    Raises:
        ImportError: If scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(
            "The digits come with scikit-learn: pip install 'softdiffusion[data]'."
        ) from None
    digits = datasets.load_digits()
    order = torch.randperm(len(digits.images), generator=torch.Generator().manual_seed(0))
    chosen = order[:_TEST_IMAGES] if split == "test" else order[_TEST_IMAGES:]
    images = torch.from_numpy(digits.images).float()[:, None] / 8 - 1  # values are 0 to 16
    return images[chosen], torch.from_numpy(digits.target).long()[chosen]
