r"""The start of sampling: the distribution of :math:`x_1 = C_1 x_0 + \sigma_1 \eta`.

Strong corruption leaves few modes of the data above the noise. A prior fitted to those modes is
small, and is saved with the model, so that sampling needs no training images.
"""

from .data import DataPrior
from .gaussian import GaussianPrior
from .mixture import MixturePrior
from .prior import Prior

__all__ = ["DataPrior", "GaussianPrior", "MixturePrior", "Prior"]
