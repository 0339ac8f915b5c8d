"""The loop that all samplers share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..checks import check_finite
from ..denoisers import BaseDenoiser
from ..process import SoftDiffusion, Transition
from ..random import Generator, randn

__all__ = ["Callback", "Final", "Noise", "Sampler", "Step"]

#: What the sampler returns: the last prediction, or the state at the last time.
Final = Literal["x0_hat", "sigma_min"]

#: Draws standard normal noise in the shape of the batch.
Noise = Callable[[], Tensor]


@dataclass(frozen=True)
class Step:
    """What a callback sees after every network call.

    Attributes:
        index: The number of the grid time, from 0.
        t: The time.
        x_t: The state at that time, (B, C, ...).
        x0_hat: The prediction made there.
    """

    index: int
    t: float
    x_t: Tensor
    x0_hat: Tensor


Callback = Callable[[Step], None]


class Sampler(ABC):
    r"""Goes from :math:`x_1` to an image along a descending grid of times.

    A subclass says how one step from t to s < t is made; the formulas are written with the
    operators of the hop, so that a step costs one transform pair beside the network call.

    The denoiser is called as it is: put it in evaluation mode first if it has dropout.

    Arguments:
        process: The forward process.
        denoiser: Predicts the clean image.
        steps: The number N of grid times at which the network is called, >= 1. They are equally
            spaced: from 1 to 0 with `final="x0_hat"` (to 1/N where there is no noise at t = 0,
            since a prediction there would be wasted), and 1, ..., 1/N with `final="sigma_min"`.
        times: Another descending grid in [0, 1], used instead of `steps`. With
            `final="sigma_min"` the network is not called at its last time.
        final: "x0_hat" returns the last prediction; "sigma_min" returns the state at the last
            time, which keeps the noise that the schedule has there (and, with the momentum
            sampler's variance, more than that).
        clip: Clips every prediction to this range; None leaves it as it is.
        progress: Whether a progress bar is shown.

    Raises:
        ValueError: If `steps` is below 1, or the times do not descend within [0, 1].
    """

    #: Network calls a step.
    calls_per_step = 1

    def __init__(
        self,
        process: SoftDiffusion,
        denoiser: BaseDenoiser,
        steps: int = 100,
        times: Sequence[float] | None = None,
        final: Final = "x0_hat",
        clip: tuple[float, float] | None = None,
        progress: bool = False,
    ) -> None:
        if steps < 1:
            raise ValueError(f"The number of steps must be at least 1, but is {steps}.")
        if final not in ("x0_hat", "sigma_min"):
            raise ValueError(f"final must be x0_hat or sigma_min, but is {final!r}.")
        self.process = process
        self.denoiser = denoiser
        self.steps = steps
        self.times = times
        self.final = final
        self.clip = clip
        self.progress = progress
        self.grid = self._default_grid() if times is None else _checked_grid(times, final)

    @abstractmethod
    def step(self, x_t: Tensor, x0_hat: Tensor, hop: Transition, noise: Noise) -> Tensor:
        """Returns the state at the hop's earlier time.

        Arguments:
            x_t: The state at the hop's later time, (B, C, ...).
            x0_hat: The prediction from it.
            hop: Operators and noise levels at both times.
            noise: Draws noise; not called where the hop keeps its noise level.
        """

    def refine(
        self, x_t: Tensor, x0_hat: Tensor, hop: Transition, past: tuple[Transition, Tensor] | None
    ) -> Tensor:
        """Returns the prediction that the step uses, for samplers of higher order.

        Arguments:
            x_t: The state at the hop's later time.
            x0_hat: The network's prediction from it.
            hop: Operators and noise levels at both times.
            past: The hop before and the network's prediction there; None at the first step.
        """
        return x0_hat

    @property
    def nfe(self) -> int:
        """The number of network calls an image."""
        calls = self.calls_per_step * (len(self.grid) - 1)
        return calls + 1 if self.final == "x0_hat" else calls

    @torch.no_grad()
    def __call__(
        self,
        x1: Tensor,
        generator: Generator = None,
        callback: Callback | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Samples one image for every start.

        Arguments:
            x1: The starts, at the first time of the grid, (B, C, ...).
            generator: The source of the noise: one for all, or one for every image.
            callback: Called after every network call (of every chunk).
            batch_size: Images sampled at a time; None takes all at once.

        Raises:
            ValueError: If a start is not finite, or there is not one generator an image.
        """
        check_finite("The start x1", x1)
        size = len(x1) if batch_size is None else batch_size
        shared = generator is None or isinstance(generator, torch.Generator)
        if not shared and len(generator) != len(x1):
            raise ValueError(
                f"{len(x1)} images need {len(x1)} generators, but {len(generator)} were given."
            )
        chunks = []
        for start in range(0, len(x1), size):
            own = generator if shared else generator[start : start + size]
            chunks.append(self._run(x1[start : start + size], own, callback))
        return torch.cat(chunks)

    def trajectory(self, x1: Tensor, generator: Generator = None) -> Tensor:
        """Returns all states and then the final images, (frames, B, C, ...)."""
        frames: list[Tensor] = []
        final = self(x1, generator, callback=lambda step: frames.append(step.x_t))
        return torch.stack([*frames, final])

    def _run(self, x: Tensor, generator: Generator, callback: Callback | None) -> Tensor:
        past: tuple[Transition, Tensor] | None = None
        with _bar(self.nfe, self.progress) as advance:
            for index, (t, s) in enumerate(zip(self.grid, self.grid[1:], strict=False)):
                x0_hat = self.predict(x, t)
                _notify(callback, index, t, x, x0_hat)
                hop = self.process.transition(t, s)
                refined = self.refine(x, x0_hat, hop, past)
                x = self.step(x, refined, hop, lambda: _noise_like(x, generator))
                past = (hop, x0_hat)
                advance(self.calls_per_step)
            if self.final == "sigma_min":
                return x
            x0_hat = self.predict(x, self.grid[-1])
            _notify(callback, len(self.grid) - 1, self.grid[-1], x, x0_hat)
            advance(1)
            return x0_hat

    def predict(self, x_t: Tensor, t: float | Tensor) -> Tensor:
        """One network call, clipped if that was asked for."""
        x0_hat = self.denoiser(x_t, torch.as_tensor(t, dtype=torch.float64, device=x_t.device))
        return x0_hat if self.clip is None else x0_hat.clamp(*self.clip)

    def _default_grid(self) -> list[float]:
        if self.final == "sigma_min":
            return torch.linspace(1, 0, self.steps + 1, dtype=torch.float64).tolist()
        if self.process.sigma(0.0) == 0:
            return torch.linspace(1, 0, self.steps + 1, dtype=torch.float64).tolist()[:-1]
        return torch.linspace(1, 0, self.steps, dtype=torch.float64).tolist()


def _checked_grid(times: Sequence[float], final: Final) -> list[float]:
    grid = [float(t) for t in times]
    descends = all(a > b for a, b in zip(grid, grid[1:], strict=False))
    if not descends or not grid or grid[0] > 1 or grid[-1] < 0:
        raise ValueError(f"The times must descend within [0, 1], but are {grid}.")
    if final == "sigma_min" and len(grid) < 2:
        raise ValueError("A grid that ends in the state sigma_min needs at least two times.")
    return grid


def _noise_like(x: Tensor, generator: Generator) -> Tensor:
    return randn(x.shape, generator, dtype=x.dtype, device=x.device)


def _notify(
    callback: Callback | None, index: int, t: float, x_t: Tensor, x0_hat: Tensor
) -> None:
    if callback is not None:
        callback(Step(index, t, x_t, x0_hat))


class _bar:
    """A progress bar over network calls, or nothing."""

    def __init__(self, total: int, shown: bool) -> None:
        from tqdm import tqdm

        self.bar = tqdm(total=total, unit="call", desc="sampling", disable=not shown)

    def __enter__(self) -> Callable[[int], object]:
        return self.bar.update

    def __exit__(self, *_: object) -> None:
        self.bar.close()
