"""Training, in one function."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import ArrayImages, DataOrder, Images
from ..denoisers import EMA, BaseDenoiser
from ..objectives import Objective
from ..priors import Prior
from ..random import generators
from ..samplers import MultistepSampler
from ..saving import check_savable, save
from .checkpoint import Checkpoint, Checkpoints
from .claim import alone, claim
from .labels import labels_of
from .options import TrainingOptions
from .processes import processes
from .records import LossMeter, Records
from .times import ImportanceTimes, StratifiedTimes

__all__ = ["train"]


@contextmanager
def _own_state() -> Iterator[None]:
    """Gives accelerate's state up at the end, unless it is the caller's.

    It belongs to the process and holds the precision, which a later training may want changed.
    """
    from accelerate.state import AcceleratorState, is_initialized

    is_callers = is_initialized()
    try:
        yield
    finally:
        if not is_callers:
            AcceleratorState._reset_state()


class _Prepared(nn.Module):
    """What accelerate may mark and wrap, so that the denoiser itself stays as it was."""

    def __init__(self, denoiser: BaseDenoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(self, *args: Tensor, **labels: Tensor) -> Tensor:
        return self.denoiser(*args, **labels)


@_own_state()
def train(
    data: Images | Tensor,
    denoiser: BaseDenoiser,
    objective: Objective,
    images: int,
    *,
    out: str | Path,
    prior: Prior | None = None,
    options: TrainingOptions | None = None,
    seed: int = 0,
    flips: bool = False,
    progress: bool = True,
) -> BaseDenoiser:
    """Trains a denoiser and returns the moving average of its weights.

    It trains on a GPU if there is one, and both the denoiser and its average stay there. The seed
    of torch's global generator, from which dropout draws, is set in every step.

    The run lives in the folder `out`. Calling the function again with the same arguments goes on
    after the last checkpoint, and ends with weights that are identical bit for bit to those of
    a run that never stopped (on the same processor and number of threads; a GPU adds in an order
    of its own, and so differs in the last bits): images, times and noise are a pure function of
    the seed and of the count of images.

    Arguments:
        data: The training images, or a tensor (N, C, H, W) of them: float32 in [-1, 1], or uint8;
            with labels, if the denoiser has classes.
        denoiser: The denoiser to train, in place; it knows its process.
        objective: The loss.
        images: How many images to train on, counted with repetition, and rounded up to whole
            batches.
        out: The folder of the run: `stats.jsonl`, `checkpoint-*/`, `samples/`, TensorBoard's
            files and, at the end, `final/` with the averaged weights `ema.safetensors`.
        prior: Saved beside the weights, and used for sample grids while training.
        options: The settings.
        seed: The seed of order, flips, times and noise.
        flips: Whether every second image on average is mirrored.
        progress: Whether a progress bar is shown.

    Raises:
        ValueError: If the folder holds a run with another configuration, other data or a damaged
            checkpoint, the data do not have the labels that the denoiser's classes need, the prior
            can't be saved with the denoiser, or is missing for sample grids, no image is asked for,
            or fewer than were seen already, a tensor is out of range or not finite, the device
            lacks the precision, the processes can't share a batch evenly, another process trains
            in the folder, or the loss or its gradient is not finite.
    """
    from accelerate import Accelerator
    from tqdm import tqdm

    options = options or TrainingOptions()
    process = denoiser.process
    _check_count(images)
    check_savable(denoiser, prior)
    if options.sample_every and prior is None:
        raise ValueError(
            f"Sample grids every {options.sample_every} images need a start, but there is no prior "
            "to be saved with the model; set sample_every to 0, or give a fitted prior."
        )
    data = data if isinstance(data, Images) else ArrayImages("data", data.cpu())
    classes = labels_of(data, denoiser.classes)
    processes()  # first, since it says where they are
    accelerator = Accelerator(mixed_precision=options.precision)
    if options.precision != "no" and not accelerator.native_amp:  # it would be ignored
        raise ValueError(
            f"The precision {options.precision} can't be had on {accelerator.device}; use no."
        )
    if options.batch_size % accelerator.num_processes:
        raise ValueError(
            f"A batch of {options.batch_size} images can't be shared evenly by "
            f"{accelerator.num_processes} processes; choose a multiple of their number."
        )
    out = Path(out)
    order = DataOrder(len(data), seed)
    if accelerator.is_main_process:
        claim(out, data, denoiser, objective, options, seed, flips)

    denoiser.train()
    ema = EMA(denoiser, options.ema).to(accelerator.device)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=options.learning_rate)
    times = ImportanceTimes() if options.times == "importance" else StratifiedTimes()
    network, prepared_optimizer = accelerator.prepare(_Prepared(denoiser), optimizer)
    state = Checkpoint(denoiser, ema, optimizer, times.state)
    checkpoints = Checkpoints(out)

    with alone(out) if accelerator.is_main_process else nullcontext():
        start = checkpoints.restore(state)
        images = -(-images // options.batch_size) * options.batch_size
        if start > images:
            raise ValueError(
                f"The training in {out} has seen {start} images already, more than {images}; ask "
                "for as many or more, or choose another folder."
            )
        if accelerator.is_main_process:
            records = Records(out, start)
        accelerator.wait_for_everyone()
        meter = LossMeter()
        bar = tqdm(
            total=images,
            initial=start,
            unit="image",
            disable=not (progress and accelerator.is_main_process),
            desc="training",
        )
        clock, clock_images = time.perf_counter(), start

        for position in range(start, images, options.batch_size):
            # What is drawn: a pure function of (seed, position), so that nothing random is stored.
            generator = torch.Generator().manual_seed(_stream(seed, position, 1))
            torch.manual_seed(_stream(seed, position, 3, accelerator.process_index))  # for dropout
            mine = slice(accelerator.process_index, None, accelerator.num_processes)
            x0 = _batch(data, order, position, options.batch_size, flips)
            noise = torch.randn(x0.shape, generator=generator)
            t, weight = times.sample(len(x0), generator)
            x0, noise, t, weight = (a[mine].to(accelerator.device) for a in (x0, noise, t, weight))
            predict = network
            if classes is not None:
                labels = classes[order.indices(position, options.batch_size)]
                dropped = torch.rand(len(labels), generator=generator) < options.label_dropout
                labels = labels.masked_fill(dropped, -1)[mine].to(accelerator.device)
                predict = partial(network, labels=labels)

            loss = objective(process, predict, x0, t, noise)
            accelerator.backward((weight * loss).mean())
            norm = accelerator.clip_grad_norm_(network.parameters(), options.clip)
            t, loss, weight = (accelerator.gather(a).cpu() for a in (t, loss.detach(), weight))
            _check_finite("loss", loss, position, options)
            if options.precision != "fp16":  # whose scaler leaves such a step out
                _check_finite("gradient of the loss", norm, position, options)
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * _ramp(position, images, options)
            prepared_optimizer.step()
            prepared_optimizer.zero_grad()
            ema.update(denoiser)

            times.update(t, loss)
            meter.add(t, loss, weight)
            done = position + options.batch_size
            bar.update(options.batch_size)

            if accelerator.is_main_process:
                if _passes(options.log_every, position, done) or done >= images:
                    now = time.perf_counter()
                    speed = (done - clock_images) / (now - clock)
                    clock, clock_images = now, done
                    row: dict[str, Any] = {"images": done, **meter.read()}
                    row |= {"gradient_norm": float(norm) if torch.isfinite(norm) else None}
                    row |= {"learning_rate": group["lr"], "images_per_second": speed}
                    records.write(row)
                    bar.set_postfix(loss=f"{row['loss']:.4g}")
                if _passes(options.checkpoint_every, position, done) or done >= images:
                    checkpoints.save(state, done)
                if prior is not None and _passes(options.sample_every, position, done):
                    _draw(out / "samples" / f"{done:09d}.png", ema, prior)
        bar.close()
        if accelerator.is_main_process:
            records.close()
            save(out / "final", ema, prior)
        accelerator.wait_for_everyone()
    return ema.denoiser


def _check_count(images: int) -> None:
    if images < 1:
        raise ValueError(f"A training needs at least 1 image to train on, not {images}.")


def _check_finite(name: str, values: Tensor, position: int, options: TrainingOptions) -> None:
    if not torch.isfinite(values).all():
        raise ValueError(
            f"The {name} is not finite after {position} images; lower the learning rate "
            f"(now {options.learning_rate:g}), or check the schedule for sigma = 0."
        )


def _batch(data: Images, order: DataOrder, position: int, count: int, flips: bool) -> Tensor:
    x0 = data.batch(order.indices(position, count))
    if not flips:
        return x0
    mirrored = order.flips(position, count).reshape(-1, 1, 1, 1)
    return torch.where(mirrored, x0.flip(-1), x0)


def _stream(seed: int, position: int, *words: int) -> int:
    """The seed of a stream at a position; the order and the flips have the words 0 and 2."""
    state = np.random.SeedSequence([seed, position, *words]).generate_state(1, np.uint64)[0]
    return int(state >> 2)


def _ramp(position: int, images: int, options: TrainingOptions) -> float:
    """The share of the learning rate: linear warm-up at the start, linear decay at the end."""
    up = (position + options.batch_size) / options.warmup if options.warmup else 1.0
    down = (images - position) / options.decay if options.decay else 1.0
    return min(1.0, up, down)


def _passes(interval: int, before: int, after: int) -> bool:
    """Whether a multiple of the interval lies in (before, after]; of 0 there is none."""
    return interval > 0 and before // interval < after // interval


@torch.no_grad()
def _draw(path: Path, ema: EMA, prior: Prior) -> None:
    from ..plots import save_grid

    noise = generators(0, range(16))
    x1 = prior.sample(16, generator=noise).to(next(ema.buffers()).device)
    save_grid(MultistepSampler(ema.process, ema, steps=20)(x1, generator=noise).cpu(), path)
