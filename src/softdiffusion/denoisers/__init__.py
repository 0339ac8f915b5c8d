"""Denoisers: preconditioning, backbones, the exact Gaussian denoiser, moving averages."""

from .compiled import compiled
from .denoiser import BaseDenoiser, ClippedDenoiser, Denoiser
from .diffusers_unet import DiffusersUNet
from .ema import EMA
from .gaussian import GaussianDenoiser
from .guided import GuidedDenoiser
from .posterior import DPSDenoiser, PosteriorDenoiser
from .preconditioning import EDM, Preconditioning, Residual, ScaledResidual
from .prediction import CleanPrediction, NoisePrediction, VelocityPrediction
from .unet import SmallUNet

__all__ = [
    "EDM",
    "EMA",
    "BaseDenoiser",
    "CleanPrediction",
    "ClippedDenoiser",
    "DPSDenoiser",
    "Denoiser",
    "DiffusersUNet",
    "GaussianDenoiser",
    "GuidedDenoiser",
    "NoisePrediction",
    "PosteriorDenoiser",
    "Preconditioning",
    "Residual",
    "ScaledResidual",
    "SmallUNet",
    "VelocityPrediction",
    "compiled",
]
