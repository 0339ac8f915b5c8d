"""Presets: methods, each a choice of C_t, sigma_t, loss, prediction and sampler."""

from .blurred_flow import blurred_flow
from .catalogue import PRESETS, named
from .cold import GaussianMasks, cold_blur, cold_inpainting, cold_pixelate
from .heat import BlurringKernel, BlurringNoise, blurring, inverse_heat
from .noise import EDMRegression, edm, rectified_flow, ve, vp
from .preset import Preset
from .scale_space import ScaleSpace, scale_space
from .soft import soft_blur, soft_mask

__all__ = [
    "PRESETS",
    "BlurringKernel",
    "BlurringNoise",
    "EDMRegression",
    "GaussianMasks",
    "Preset",
    "ScaleSpace",
    "blurred_flow",
    "blurring",
    "cold_blur",
    "cold_inpainting",
    "cold_pixelate",
    "edm",
    "inverse_heat",
    "named",
    "rectified_flow",
    "scale_space",
    "soft_blur",
    "soft_mask",
    "ve",
    "vp",
]
