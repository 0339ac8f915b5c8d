"""The loop that all samplers share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import (
    LARGEST,
    ImageLike,
    as_images,
    check_count,
    check_finite,
    check_labels,
    check_range,
)
from ..denoisers import BaseDenoiser
from ..process import SoftDiffusion, Transition
from ..random import Generator, randn

__all__ = ["Final", "Noise", "Past", "Predict", "Sampler", "Step"]

#: What a sampler returns: the last prediction, or the state at the last time.
Final = Literal["x0_hat", "sigma_min"]

#: Draws standard normal noise in the shape of the batch, anew at every call.
Noise = Callable[[], Tensor]

#: Calls the network at a state and a time, and clips if that was asked for.
Predict = Callable[[Tensor, float], Tensor]

#: The hop before, and the network's prediction at its start.
Past = tuple[Transition, Tensor]


@checked
@dataclass(frozen=True)
class Step:
    """What a callback sees at every time of the grid at which the network is called.

    Attributes:
        index: The position of the time in the grid, from 0.
        t: The time.
        x_t: The state at that time, (B, C, ...).
        x0_hat: The prediction made from it, clipped if that was asked for.
    """

    index: int
    t: float
    x_t: Tensor
    x0_hat: Tensor


@checked
class Sampler(ABC):
    r"""Goes from :math:`x_1` to an image along a descending grid of times.

    A subclass says how the state moves from t to an earlier s. All of them are of the form

    .. math:: x_s = C_s \hat x_0 + A\,(x_t - C_t \hat x_0) + \sqrt{v}\, \eta, \qquad
        \rho = \sigma_s / \sigma_t

    and are written with the operators of the hop, so that a step costs one transform pair beside
    the network call: :math:`(C_s - A C_t)\, \hat x_0 + A x_t`.

    The denoiser is called in the mode that it is in: call its `eval()` first if it has dropout.
    Models from `softdiffusion.load` and an `EMA` are in evaluation mode already.

    Source of `shift`: Esser et al. 2024, arXiv 2403.03206, who shift the times of training and
    sampling with the resolution.

    Arguments:
        process: The forward process.
        denoiser: Predicts the clean image.
        steps: The number N >= 1 of grid times at which the network is called. They are equally
            spaced: 1, ..., 1/N for `final="sigma_min"`, and for `final="x0_hat"` 1, ..., 0, or
            1, ..., `last_share` / N where there is no noise at t = 0: no network is trained there.
        shift: Equally spaced times u become shift u / (1 + (shift - 1) u), > 0: above 1 the steps
            are longer at small times, by so much, and shorter near 1.
        times: Another descending grid in [0, 1], used instead of `steps` and `shift`. It may start
            at any time. With `final="sigma_min"` the network is not called at its last time.
        final: "x0_hat" returns the last prediction; "sigma_min" returns the state at the last
            time, which keeps the noise that the process has there.
        clip: The range to which every prediction is clipped; None leaves it as it is.
        progress: Whether a progress bar is shown.

    Attributes:
        grid: The times in use.
        last_share: N equally spaced times end at this over N where there is no noise at t = 0.

    Raises:
        ValueError: If `steps` is below 1, `shift` is not positive and finite, the times do not
            descend within [0, 1], `final` is unknown, or the range of `clip` is empty.
    """

    last_share: ClassVar[float] = 1.0

    def __init__(
        self,
        process: SoftDiffusion,
        denoiser: BaseDenoiser,
        *,
        steps: int = 100,
        shift: float = 1.0,
        times: Sequence[float] | None = None,
        final: Final = "x0_hat",
        clip: tuple[float, float] | None = None,
        progress: bool = False,
    ) -> None:
        if steps < 1:
            raise ValueError(f"The number of steps must be at least 1, but is {steps}.")
        check_count("The number of steps", steps, 1, 1_000_000)
        if not 0 < shift < math.inf:
            raise ValueError(f"The shift of the times must be finite and > 0, but is {shift:g}.")
        check_range("The shift of the times", shift, 1e-6, 1e6)
        if clip is not None and not clip[0] < clip[1]:
            raise ValueError(f"The range of clip must be (low, high), but is {tuple(clip)}.")
        self.process = process
        self.denoiser = denoiser
        self.steps = steps
        self.shift = shift
        self.times = times
        self.final = final
        self.clip = clip
        self.progress = progress
        self.grid = self._default_grid() if times is None else _checked_grid(times, final)

    @abstractmethod
    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        r"""Returns the state :math:`x_s`.

        Arguments:
            x_t: The state at the hop's start, (B, C, ...).
            x0_hat: The prediction of the clean images, in the same shape.
            hop: Operators and noise levels at both times.
            noise: Draws :math:`\eta`; it is not called where a step adds no noise.
        """

    def refine(
        self, x_t: Tensor, x0_hat: Tensor, hop: Transition, past: Past | None, predict: Predict
    ) -> Tensor:
        """Returns the prediction that the step will use; samplers of second order improve it.

        Arguments:
            x_t: The state at the hop's start, (B, C, ...).
            x0_hat: The network's prediction from it.
            hop: Operators and noise levels at both times.
            past: The hop before and the network's prediction there; None at the first step.
            predict: Calls the network at another state and time, for the same classes.
        """
        return x0_hat

    def calls(self, s: float) -> int:
        """The number of network calls of a step to the time s."""
        return 1

    @property
    def nfe(self) -> int:
        """The number of network calls for one image."""
        return sum(map(self.calls, self.grid[1:])) + (self.final == "x0_hat")

    @checked
    @torch.no_grad()
    def __call__(
        self,
        x1: ImageLike,
        generator: Generator = None,
        callback: Callable[[Step], None] | None = None,
        batch_size: int | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Samples one image from every start.

        The states are kept in the precision of the starts, and in single precision at least,
        whatever that of the network is. The images have the type of the starts.

        With one generator an image, its noise is bit-identical in batches of any size, and the
        image the same up to rounding. A single generator promises that for the same batches only.

        Arguments:
            x1: The starts, states at the first time of the grid, (B, C, ...).
            generator: The source of the noise: one for all, or one for every image.
            callback: Called at every time of the grid at which the network is called; with
                `batch_size`, for every batch in turn.
            batch_size: The number of images sampled at a time, >= 1; None takes all at once.
            labels: The class of every image, int64, (B,), -1 for none; None leaves all open.

        Returns:
            The images, in the shape of `x1`.

        Raises:
            ValueError: If the starts are no batch of finite real numbers, or lie on another device
                than the network, there is not one generator an image, the batch size is below 1,
                the labels do not fit the images or the denoiser, or the denoiser changes the shape.
        """
        x1 = _checked_starts(x1)
        dtype, x1 = x1.dtype, x1.to(torch.promote_types(x1.dtype, torch.float32))
        _check_device(x1, self.denoiser)
        size = len(x1) if batch_size is None else batch_size
        if size < 1:
            raise ValueError(f"The batch size must be at least 1, but is {size}.")
        size = min(size, len(x1))
        batches = x1.split(size)
        sources = _split(generator, size, len(x1))
        check_labels(labels, self.denoiser.classes, len(x1))
        classes = [None] * len(batches) if labels is None else labels.split(size)
        with _progress_bar(self.nfe * len(batches), self.progress) as advance:
            return torch.cat(
                [
                    self._run(x, source, partial(self.predict, labels=c), callback, advance)
                    for x, source, c in zip(batches, sources, classes, strict=True)
                ]
            ).to(dtype)

    def trajectory(
        self, x1: ImageLike, generator: Generator = None, labels: Tensor | None = None
    ) -> Tensor:
        """Returns the state at every call and then the images, (frames, B, C, ...)."""
        states: list[Tensor] = []
        images = self(x1, generator, lambda step: states.append(step.x_t), labels=labels)
        return torch.stack([*states, images])

    def predict(self, x_t: Tensor, t: float | Tensor, labels: Tensor | None = None) -> Tensor:
        """Calls the network once, and clips if that was asked for.

        Raises:
            ValueError: If the prediction has another shape than the state.
        """
        t = torch.as_tensor(t, dtype=torch.float64)  # on the CPU: not all devices have doubles
        x0_hat = self.denoiser(x_t, t, *(() if labels is None else (labels,)))
        if x0_hat.shape != x_t.shape:
            raise ValueError(
                f"A denoiser must keep the shape of its images, {tuple(x_t.shape)}, but "
                f"{type(self.denoiser).__name__} returned {tuple(x0_hat.shape)}."
            )
        x0_hat = x0_hat.to(x_t.dtype)
        return x0_hat if self.clip is None else x0_hat.clamp(*self.clip)

    def _run(
        self,
        x: Tensor,
        generator: Generator,
        predict: Predict,
        callback: Callable[[Step], None] | None,
        advance: Callable[[int], object],
    ) -> Tensor:
        noise = partial(randn, x.shape, generator, x.dtype, x.device)
        past: Past | None = None
        for index, (t, s) in enumerate(pairwise(self.grid)):
            x0_hat = predict(x, t)
            if callback:
                callback(Step(index, t, x, x0_hat))
            hop = self.process.transition(t, s)
            x = self.step(x, self.refine(x, x0_hat, hop, past, predict), hop, noise)
            past = hop, x0_hat
            advance(self.calls(s))
        if self.final == "sigma_min":
            return x
        x0_hat = predict(x, self.grid[-1])
        if callback:
            callback(Step(len(self.grid) - 1, self.grid[-1], x, x0_hat))
        advance(1)
        return x0_hat

    def _default_grid(self) -> list[float]:
        last = self.last_share / self.steps if self.process.sigma(0.0) == 0 else 0
        end, count = (0, self.steps + 1) if self.final == "sigma_min" else (last, self.steps)
        return spaced(end, count, self.shift)


def spaced(end: float, count: int, shift: float) -> list[float]:
    """So many equally spaced times u from 1 to `end`, as shift u / (1 + (shift - 1) u)."""
    u = torch.linspace(1, end, count, dtype=torch.float64)
    return (shift * u / (1 + (shift - 1) * u)).clamp(max=1).tolist()


def _checked_grid(times: Sequence[float], final: Final) -> list[float]:
    grid = [float(t) for t in times]
    if not all(0 <= t <= 1 for t in grid) or not all(t > s for t, s in pairwise(grid)):
        raise ValueError(f"The times must descend within [0, 1], but are {grid}.")
    fewest = 2 if final == "sigma_min" else 1
    if len(grid) < fewest:
        raise ValueError(f"With final={final!r} at least {fewest} times are needed, not {grid}.")
    return grid


def _checked_starts(x1: ImageLike) -> Tensor:
    """The starts, if they are images, and finite."""
    if isinstance(x1, Tensor) and (
        x1.ndim < 3 or not len(x1) or not x1.is_floating_point() or 0 in x1.shape
    ):
        raise ValueError(
            "The starts x1 must be a batch (B, C, ...) of real numbers, but have shape "
            f"{tuple(x1.shape)} and type {x1.dtype}."
        )
    x1 = check_finite("The starts x1", as_images("The starts x1", x1))
    if x1.abs().max() > 10 * LARGEST:  # the largest noise, and what chance adds to it
        raise ValueError(
            f"The starts x1 must be at most {10 * LARGEST:g}, but reach {x1.abs().max():g}."
        )
    return x1


def _check_device(x1: Tensor, denoiser: BaseDenoiser) -> None:
    weights = next(denoiser.parameters(), x1)
    if weights.device != x1.device:
        raise ValueError(
            f"The starts x1 lie on {x1.device}, but the network on {weights.device}; move one of "
            f"them, as by x1.to('{weights.device}')."
        )


def _split(generator: Generator, size: int, images: int) -> list[Generator]:
    """The source of the noise of every batch."""
    starts = range(0, images, size)
    if generator is None or isinstance(generator, torch.Generator):
        return [generator for _ in starts]
    if len(generator) != images:
        raise ValueError(
            f"{images} images need {images} generators, but {len(generator)} were given."
        )
    return [generator[start : start + size] for start in starts]


@contextmanager
def _progress_bar(total: int, shown: bool) -> Iterator[Callable[[int], object]]:
    """Gives a function that reports network calls as made."""
    if not shown:
        yield lambda calls: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc="sampling", unit="call") as bar:
        yield bar.update
