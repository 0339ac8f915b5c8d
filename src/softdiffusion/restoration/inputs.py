"""What is checked of the images of a restoration, and the types in which it computes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import ImageLike, check_data, shown
from ..denoisers import BaseDenoiser
from ..operators import LinearOperator
from ..random import Generator
from .plan import Plan

__all__ = [
    "InTypeOfWeights",
    "check_clean",
    "check_degraded",
    "check_generators",
    "check_values",
    "working_type",
]

#: How far values may lie beyond [-1, 1] by the operator alone, whose kernel may overshoot.
_OVERSHOOT = 1.5

#: Values up to this are taken for noise that was not stated: a warning says what they show.
_DOUBTFUL = 3.0

#: Standard deviations that noise stays within.
_DEVIATIONS = 6.0

#: Steps of the power method, which finds an operator's norm to a few percent.
_STEPS = 8


class InTypeOfWeights(BaseDenoiser):
    """A denoiser that takes states of any type, whatever the type of its network's weights.

    Arguments:
        denoiser: The denoiser.
    """

    def __init__(self, denoiser: BaseDenoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.process = denoiser.process
        self.classes = denoiser.classes

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        dtype = _dtype(self.denoiser) or x_t.dtype
        return self.denoiser(x_t.to(dtype), t, labels).to(x_t.dtype)


def working_type(images: Tensor) -> Tensor:
    """The images in at least single precision, in which states and operators are computed."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def check_degraded(denoiser: BaseDenoiser, y: ImageLike, operator: LinearOperator | None) -> Tensor:
    """Returns degraded images as a tensor that the model can restore.

    Raises:
        TypeError: If model, images or operator are nothing of the kind.
        ValueError: If the images are no finite real numbers, lie on another device than the model,
            or have other channels.
    """
    if not isinstance(getattr(denoiser, "_orig_mod", denoiser), BaseDenoiser):  # torch.compile's
        raise TypeError(
            f"denoiser must be a denoiser such as sd.load returns, but is {shown(denoiser)}"
            f"{'; give its .module' if isinstance(denoiser, nn.DataParallel) else ''}."
        )
    if operator is not None and not isinstance(operator, LinearOperator):
        raise TypeError(
            "operator must be a linear operator, such as sd.FadingMask().at(1.0), but is "
            f"{shown(operator)}."
        )
    if isinstance(y, Tensor | np.ndarray) and ("complex" in str(y.dtype)):
        raise ValueError(
            f"The images y must be real numbers, but have the type {y.dtype}; give real and "
            "imaginary part side by side, by torch.view_as_real, and an operator that gives both."
        )
    if operator is not None and isinstance(y, Tensor) and y.ndim == 2:
        return check_data(y[:, None], "The measurements y", clean=False)[:, 0]
    images = check_data(y, "The images y", clean=False)
    weights = next(denoiser.parameters(), None)
    if weights is not None and weights.device != images.device:
        raise ValueError(
            f"The images y lie on {images.device}, but the network on {weights.device}; move one "
            f"of them, as by y.to('{weights.device}')."
        )
    channels = getattr(getattr(denoiser, "backbone", None), "channels", None)
    if operator is None and isinstance(channels, int) and channels != images.shape[1]:
        raise ValueError(
            f"The images y have {images.shape[1]} channels, but the model is for {channels}; "
            "convert them first."
        )
    return images


def check_clean(data: ImageLike, y: Tensor, operator: LinearOperator | None) -> Tensor:
    """Returns clean images in the type and on the device of degraded ones.

    Raises:
        TypeError: If they are no images.
        ValueError: If they are not finite, or the operator, or without one the images, need
            another shape.
    """
    clean = check_data(data, "The data")
    needed = tuple(y.shape[1:])
    if operator is None:
        found = tuple(clean.shape[1:])
    else:
        try:
            found = tuple(operator(working_type(clean[:1]).to(y.device)).shape[1:])
        except (RuntimeError, ValueError, IndexError) as error:
            raise ValueError(
                f"The operator does not take images of shape {tuple(clean.shape[1:])}, which the "
                f"data have ({' '.join(str(error).split())}); give another operator or other data."
            ) from None
    if found != needed:
        what = "the data have" if operator is None else "the operator makes of the data"
        raise ValueError(
            f"The images y have the shape {needed}, but {what} {found}; give those that fit."
        )
    return clean.to(y.device, torch.promote_types(y.dtype, torch.float32))


def check_generators(generator: Generator, images: int) -> None:
    """Raises unless there is nothing, one generator, or one for every image.

    Raises:
        TypeError: If it is something else.
        ValueError: If there is another number of them.
    """
    if generator is None or isinstance(generator, torch.Generator):
        return
    if not isinstance(generator, Sequence) or not all(
        isinstance(each, torch.Generator) for each in generator
    ):
        raise TypeError(
            "generator must be a torch.Generator or one for every image, as sd.generators makes "
            f"them, but is {shown(generator)}."
        )
    if len(generator) != images:
        raise ValueError(
            f"{images} images need {images} generators, but {len(generator)} were given."
        )


def check_values(y: Tensor, plan: Plan) -> None:
    """Raises where images can't come from images in [-1, 1], such as those of 0 to 255.

    An image of the model's corruption stays in that range, but for some overshooting and six
    standard deviations of noise. A measurement by another operator A has at most the root mean
    square :math:`\\lVert A \\rVert \\sqrt{n / m}`, for images of n and measurements of m values.

    Raises:
        ValueError: If one of them does.
    """
    noise = _DEVIATIONS * float(plan.sigma_y.max())
    if plan.severity is not None:
        found, most = float(y.abs().max()), max(_DOUBTFUL, _OVERSHOOT + noise)
        what = "values up to"
    else:
        assert plan.linear is not None  # as the plan has checked
        found = float(working_type(y).flatten(1).square().mean(dim=1).sqrt().max())
        most = 2 * _gain(plan.operator, plan.linear.mean.to(working_type(y))) + noise
        what = "a root mean square of"
    if found > most:
        raise ValueError(
            f"The images y have {what} {found:.4g}, but those of images in [-1, 1] have at most "
            f"{most:.3g}; bring bytes there by x / 127.5 - 1."
        )


def _gain(operator: LinearOperator, like: Tensor) -> float:
    r"""The largest root mean square of :math:`A x` for x in [-1, 1], to a few percent."""
    (x,) = (torch.randn(like.shape, generator=torch.Generator().manual_seed(0))[None].to(like),)
    norm = 0.0
    for _ in range(_STEPS):
        norm = float(x.norm())
        if norm == 0:
            return 0.0
        x = operator.T(operator(x / norm))
    measured = operator(like[None])
    return float((x.norm().sqrt()) * (like.numel() / measured[0].numel()) ** 0.5)


def _dtype(module: nn.Module) -> torch.dtype | None:
    """The type of a network's weights; None without any."""
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), None)
