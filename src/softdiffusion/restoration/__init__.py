"""Restoration: images that are already degraded, without ground truth."""

from .baselines import one_step, pseudo_inverse, wiener
from .draw import SamplerFactory
from .level import level_noise, start_time, top_up
from .plan import Plan, make_plan
from .restore import follow, restore
from .result import Restoration
from .route import Route, topping_up_cost
from .severity import Estimate, SeverityEstimate, SeverityEstimator
from .start import linear_model, posterior_start

__all__ = [
    "Estimate",
    "Plan",
    "Restoration",
    "Route",
    "SamplerFactory",
    "SeverityEstimate",
    "SeverityEstimator",
    "follow",
    "level_noise",
    "linear_model",
    "make_plan",
    "one_step",
    "posterior_start",
    "pseudo_inverse",
    "restore",
    "start_time",
    "top_up",
    "topping_up_cost",
    "wiener",
]
