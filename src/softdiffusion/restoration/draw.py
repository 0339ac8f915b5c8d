"""Drawing samples from starts at different times, in batches of equal time."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..checks import shown
from ..denoisers import BaseDenoiser
from ..process import SoftDiffusion
from ..random import Generator
from ..samplers import Sampler

__all__ = ["Begin", "SamplerFactory", "draw"]

#: Makes a sampler from process and denoiser.
SamplerFactory = Callable[[SoftDiffusion, BaseDenoiser], Sampler]

#: From a time, the indices of images and their source of noise: the starts and their denoiser.
Begin = Callable[[Tensor, Tensor, Generator], tuple[Tensor, BaseDenoiser]]


def draw(
    process: SoftDiffusion,
    begin: Begin,
    t: Tensor,
    sampler: SamplerFactory,
    samples: int,
    generator: Generator,
    batch_size: int | None,
    progress: bool,
) -> Tensor:
    """Draws samples of every image, started at its time.

    Arguments:
        process: The process.
        begin: Makes the starts.
        t: The time of every image, (B,).
        sampler: Makes the sampler, whose times are scaled to t.
        samples: Samples S an image.
        generator: One for all, or one an image.
        batch_size: Samples drawn at a time; None takes all of equal time at once.
        progress: Whether a progress bar is shown.

    Returns:
        The samples, (S, B, C, ...).
    """
    sources = _spawn(generator, samples, len(t))
    jobs = list(_jobs(t, samples, batch_size))
    drawn = []
    with _progress_bar(len(jobs), progress) as advance:
        for index in jobs:
            source = [sources[i] for i in index] if isinstance(sources, list) else sources
            images = index % len(t)
            time = t[images[0]]
            start, denoiser = begin(time, images, source)
            chain = _scaled(_made(sampler, process, denoiser), float(time))
            drawn.append(chain(start, source))
            advance(1)
    found = torch.cat(drawn)
    order = torch.cat(jobs).argsort().to(found.device)
    return found[order].unflatten(0, (samples, len(t)))


def _spawn(
    generator: Generator, samples: int, images: int
) -> torch.Generator | list[torch.Generator] | None:
    """A generator for every sample, sample by sample, if there is one for every image."""
    if generator is None or isinstance(generator, torch.Generator):
        return generator
    if len(generator) != images:
        raise ValueError(
            f"{images} images need {images} generators, but {len(generator)} were given."
        )
    seeds = [
        [int(torch.randint(2**62, (), generator=g, device=g.device)) for g in generator]
        for _ in range(samples)
    ]
    return [torch.Generator().manual_seed(seed) for row in seeds for seed in row]


def _jobs(t: Tensor, samples: int, batch_size: int | None) -> Iterator[Tensor]:
    """Batches of indices s B + b of samples that start at the same time."""
    for time in t.unique():
        images = (t == time).nonzero()[:, 0]
        index = (torch.arange(samples)[:, None] * len(t) + images).flatten()
        yield from index.split(batch_size or len(index))


def _made(sampler: SamplerFactory, process: SoftDiffusion, denoiser: BaseDenoiser) -> Sampler:
    """What makes samplers, at work; raises a TypeError where it is something else."""
    made: object = sampler
    if callable(sampler) and not isinstance(sampler, Sampler):
        made = sampler(process, denoiser)
        if isinstance(made, Sampler):
            return made
    raise TypeError(
        "sampler must make a sampler from process and denoiser, such as "
        f"partial(sd.MultistepSampler, steps=30), but {'makes' if made is not sampler else 'is'} "
        f"{shown(made)}."
    )


def _scaled(sampler: Sampler, t: float) -> Sampler:
    """The same sampler on its grid times t; constructor arguments are attributes."""
    arguments = {
        name: getattr(sampler, name) for name in inspect.signature(type(sampler)).parameters
    }
    if t == 0:  # nothing to go back from: the prediction alone
        return type(sampler)(**arguments | {"times": [0.0], "final": "x0_hat"})
    return type(sampler)(**arguments | {"times": [t * u for u in sampler.grid]})


@contextmanager
def _progress_bar(total: int, shown: bool) -> Iterator[Callable[[int], object]]:
    """Gives a function that reports batches as done."""
    if not shown:
        yield lambda batches: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc="restoring", unit="batch") as bar:
        yield bar.update
