"""Families of linear corruptions, ordered by severity."""

from .blur import AnisotropicBlur, GaussianBlur, HeatKernel
from .box import GrowingBox, Outpainting
from .colour import ChannelMixing, Greyscale
from .composition import Composition
from .corruption import Corruption
from .defocus import DefocusBlur
from .fourier import UndersampledFourier
from .kernel import KernelBlur
from .lowpass import Butterworth, IdealLowPass, PowerLaw
from .mask import FadingMask
from .mask_image import MaskImage
from .matrix import MatrixFamily
from .motion import MotionBlur
from .physics import LinearPhysics
from .projection import RandomProjection
from .random_pixels import RandomPixels
from .resolution import Downsample, Pixelate
from .scaling import Identity, Scaling

__all__ = [
    "AnisotropicBlur",
    "Butterworth",
    "ChannelMixing",
    "Composition",
    "Corruption",
    "DefocusBlur",
    "Downsample",
    "FadingMask",
    "GaussianBlur",
    "Greyscale",
    "GrowingBox",
    "HeatKernel",
    "IdealLowPass",
    "Identity",
    "KernelBlur",
    "LinearPhysics",
    "MaskImage",
    "MatrixFamily",
    "MotionBlur",
    "Outpainting",
    "Pixelate",
    "PowerLaw",
    "RandomPixels",
    "RandomProjection",
    "Scaling",
    "UndersampledFourier",
]
