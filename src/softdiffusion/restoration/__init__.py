"""Restoration: images that are already degraded, without ground truth."""

from .baselines import one_step, pseudo_inverse, wiener
from .draw import SamplerFactory
from .level import start_time, top_up
from .restore import restore
from .result import Restoration
from .severity import SeverityEstimate, SeverityEstimator
from .start import linear_model, posterior_start

__all__ = [
    "Restoration",
    "SamplerFactory",
    "SeverityEstimate",
    "SeverityEstimator",
    "linear_model",
    "one_step",
    "posterior_start",
    "pseudo_inverse",
    "restore",
    "start_time",
    "top_up",
    "wiener",
]
