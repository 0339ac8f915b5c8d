"""Training, in one function."""

import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import checked
from ..checks import trusted
from ..data import SetLike, Stream, as_set
from ..denoisers import EMA, BaseDenoiser, compiled
from ..memory import enough_memory
from ..objectives import Objective
from ..priors import Prior
from ..random import generators
from ..samplers import MultistepSampler
from ..saving import as_path, begin_from, save
from ..signals import Stopped
from .averages import Averages
from .check import check
from .checkpoint import Checkpoint, Checkpoints, written
from .claim import alone, claim, described
from .labels import names_of
from .loader import Batch, Draws, load_ahead, readers_alive, stream_seed
from .options import TrainingOptions
from .processes import own_state, processes
from .reading import Reading, check_finite
from .records import LossMeter, Records
from .stopping import StopSignals
from .times import ImportanceTimes, StratifiedTimes
from .trackers import Trackers
from .validation import Validation

__all__ = ["train"]


class _Prepared(nn.Module):
    """What accelerate may mark and wrap, so that the denoiser itself stays as it was."""

    def __init__(self, denoiser: BaseDenoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(self, *args: Tensor, **labels: Tensor) -> Tensor:
        return self.denoiser(*args, **labels)


@checked
@own_state()
def train(
    data: SetLike | Stream,
    denoiser: BaseDenoiser,
    objective: Objective,
    images: int,
    *,
    out: str | Path,
    prior: Prior | None = None,
    options: TrainingOptions | None = None,
    seed: int = 0,
    flips: bool = False,
    turns: bool = False,
    held_out: SetLike | None = None,
    init: str | Path | None = None,
    progress: bool = True,
) -> BaseDenoiser:
    """Trains a denoiser and returns the moving average of its weights.

    It trains on a GPU if there is one, and both the denoiser and its average stay there. The seed
    of torch's global generator, from which dropout draws, is set in every step.

    The run lives in the folder `out`, which belongs to this configuration from the first checkpoint
    on. Calling the function again with the same arguments goes on after the last checkpoint, and
    ends with weights that are identical bit for bit to those of a run that never stopped (on the
    same processor and number of threads; a GPU adds in an order of its own, and so differs in the
    last bits): images, times and noise are a pure function of the seed and of the count of images.
    More images go on in the same way where warm-up and decay fit into both. The learning rate may
    change from one call to the next, so that a training that diverged goes on with a lower one.

    SIGINT (Ctrl-C) and SIGTERM save a checkpoint before they end the training.

    Arguments:
        data: The training images; with labels, if the denoiser has classes. A tensor or NumPy array
            (N, C, H, W), float32 in [-1, 1] or uint8, images of Pillow and a torch `Dataset` are
            taken as well, and a stream, which is read from its start on.
        denoiser: The denoiser to train, in place; it knows its process.
        objective: The loss.
        images: How many images to train on, counted with repetition, and rounded up to whole
            batches.
        out: The folder of the run: `stats.jsonl`, `checkpoint-*/`, whose `model/` is the average so
            far, `samples/`, `averages/`, the files of trackers and, at the end, `final/` with the
            averaged weights `ema.safetensors`.
        prior: Saved beside the weights, and used for sample grids while training.
        options: The settings.
        seed: The seed of order, flips, times and noise.
        flips: Whether every second image on average is mirrored.
        turns: Whether images, which are square then, are turned by none to three quarter turns.
        held_out: Images that are not trained on, on which the loss is measured every
            `options.validate_every` images: the same every time.
        init: The folder of a saved model with whose weights the training begins.
        progress: Whether a progress bar is shown.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the folder holds a run with another configuration, other data or a damaged
            checkpoint, the data do not have the labels that the denoiser's classes need, the prior
            can't be saved with the denoiser, or is missing for sample grids, no image is asked for,
            or fewer than were seen already, a tensor is out of range or not finite, the device
            lacks the precision, the environment changes it, the processes can't share a batch
            evenly, another process trains in the folder, the loss or its gradient is not finite,
            or the memory is too small.
        OSError: If something can't be written.
        Stopped: After SIGINT or SIGTERM, a `KeyboardInterrupt` that says where to go on.
    """
    from accelerate import Accelerator
    from tqdm import tqdm

    options = options or TrainingOptions()
    data = data if isinstance(data, Stream) else as_set(data)
    held_out = None if held_out is None else as_set(held_out)
    out, init = as_path(out), None if init is None else as_path(init)
    asked: dict[str, Any] = {"options": options, "seed": seed}
    asked |= {"flips": flips, "turns": turns, "init": init}
    check(data, denoiser, objective, images, out=out, prior=prior, held_out=held_out, **asked)
    config = described(data, denoiser, objective, **asked)
    images = options.whole_batches(images)
    process = denoiser.process
    processes()  # first, since it says where they are
    accelerator = Accelerator(mixed_precision=options.precision)
    is_first = accelerator.is_main_process
    device = accelerator.device

    if init is not None:
        begin_from(denoiser, init)
    denoiser.train()
    ema = EMA(denoiser, options.ema)
    ema.denoiser.to(device)  # its count stays where it is asked for
    optimizer = torch.optim.AdamW(
        denoiser.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    optimizer.zero_grad()  # an earlier training that was stopped has left its own gradient
    times = ImportanceTimes() if options.times == "importance" else StratifiedTimes()
    meter = LossMeter()
    rate = torch.tensor(options.learning_rate, dtype=torch.float64)
    network, prepared_optimizer = accelerator.prepare(_Prepared(denoiser), optimizer)
    averages = Averages(denoiser, options.ema_lengths, out)
    if options.compile:
        compiled(denoiser, graphs=options.accumulate == 1)
    kept = {"times": times.state, "losses": meter.state, "learning_rate": rate}
    kept |= averages.tensors
    state = Checkpoint(denoiser, ema, optimizer, kept, prior, names_of(data, denoiser.classes))
    checkpoints = Checkpoints(out, claim(out, config, write=False))
    draws = Draws(
        data,
        options.batch_size,
        seed,
        share=slice(accelerator.process_index, None, accelerator.num_processes),
        flips=flips,
        turns=turns,
        classes=denoiser.classes,
        label_dropout=options.label_dropout,
    )
    validation = None if held_out is None else Validation(held_out, objective)
    # Of a GPU the losses are asked for when it has the next step to work on, unless the times of
    # that one depend on them; and but for the first step, nothing else is.
    reads_late = device.type == "cuda" and options.times != "importance"

    def learn(reading: Reading) -> None:
        """Takes in what a step has told."""
        times.update(reading.t, reading.loss)
        meter.add(reading.t, reading.loss, reading.weight)

    def keep(position: int, ending: bool) -> None:
        """Draws and saves what is due after so many images, which are known to be good."""
        before = max(position - options.batch_size, 0)
        if prior is not None and _passes(options.sample_every, before, position):
            grid = out / "samples" / f"{position:09d}.png"
            _draw(grid, ema, prior)
            trackers.picture(grid, position)
        if _passes(options.ema_every, before, position) or position == images:
            averages.keep(position)
        if ending or _passes(options.checkpoint_every, before, position):
            claim(out, config)
            checkpoints.save(state, position)

    with ExitStack() as stack:
        stack.enter_context(
            enough_memory(
                f"A step of {options.batch_size} images of {data.shape}",
                "lower --batch_size or --size, or raise --accumulate",
            )
        )
        stack.enter_context(readers_alive())
        if is_first:
            stack.enter_context(alone(out))
        start = checkpoints.restore(state)
        if isinstance(data, Stream):
            data.rewind() if state.place is None else data.restore(state.place)
        if start < images and float(rate) != options.learning_rate:
            warnings.warn(
                f"The learning rate was {float(rate):g} up to {start} images, and is "
                f"{options.learning_rate:g} from here on.",
                stacklevel=3,
            )
        rate.fill_(options.learning_rate)
        if is_first:
            checkpoints.tidy()
            averages.tidy(start)
            records = Records(out, start)
            shown = config | {"images": images, "options": vars(options)}
            trackers = stack.enter_context(closing(Trackers(out, options.track, shown, start)))
        accelerator.wait_for_everyone()
        stop = stack.enter_context(StopSignals(several=accelerator.num_processes > 1))
        bar = tqdm(
            total=images,
            initial=start,
            unit="image",
            disable=not (progress and is_first),
            desc="training",
        )
        stack.enter_context(closing(bar))
        positions = range(start, images, options.batch_size)
        batches = load_ahead(draws, positions, options.workers, device)
        stack.enter_context(closing(batches))
        clock, clock_images = time.perf_counter(), start
        late: Reading | None = None

        for position, batch in zip(positions, batches, strict=True):
            _seed(stream_seed(seed, position, 3, accelerator.process_index), device)  # for dropout
            buffers = {name: buffer.clone() for name, buffer in denoiser.named_buffers()}
            t, weight = times.at(batch.u)
            losses: list[Tensor] = []
            for part, at, factor in _parts(options.accumulate, batch, t, weight):
                told = {} if part.labels is None else {"labels": part.labels}
                is_last = len(losses) == options.accumulate - 1
                hurries = trusted() if reads_late and position > start else nullcontext()
                with hurries, nullcontext() if is_last else accelerator.no_sync(network):
                    loss = objective(process, partial(network, **told), part.x0, at, part.noise)
                    accelerator.backward((factor * loss).mean() / options.accumulate)
                losses.append(loss.detach())
            norm = accelerator.clip_grad_norm_(network.parameters(), options.clip)
            found = (t, torch.cat(losses), weight, norm)
            reading = Reading.of(accelerator, position, *found, stop.signum)

            # Here, and not after the step: of a state that has a gradient a training can go on.
            if late is not None:
                late.check(options)
                learn(late)
            signum = (late or reading).signum
            if signum or not reads_late or _is_due(position, options):
                reading.check(options)
            if is_first and (position > start or (signum and not start)):
                state.buffers, state.place = buffers, batch.place
                keep(position, ending=signum != 0)
                state.buffers = {}
            if signum:
                accelerator.wait_for_everyone()
                raise Stopped(f"saved at {position} images; the same command goes on", signum)

            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * options.share(position, images)
            prepared_optimizer.step()
            prepared_optimizer.zero_grad()
            ema.update(denoiser)
            averages.update(denoiser)

            done = position + options.batch_size
            is_validated = _passes(options.validate_every, position, done)
            is_logged = is_validated or _passes(options.log_every, position, done) or done >= images
            late = reading
            if not reads_late or is_logged:
                late.check(options)
                learn(late)
                late = None
            bar.update(options.batch_size)
            if is_logged:
                speed = (done - clock_images) / (time.perf_counter() - clock)
                row = {"images": done, **meter.read(), "gradient_norm": reading.finite_norm}
                row |= {"learning_rate": group["lr"], "images_per_second": speed}
                if validation is not None and is_validated:
                    row |= validation(ema, len(part.x0), accelerator)
                if is_first:
                    records.write(row)
                    trackers.write(row)
                bar.set_postfix(loss=f"{row['loss']:.4g}")
                clock, clock_images = time.perf_counter(), done

        if start < images:
            with torch.no_grad():
                loss = objective(process, partial(ema, **told), part.x0, at, part.noise)
            check_finite("loss of the average", accelerator.gather(loss), images, options)
        if is_first:
            if start < images:
                state.place = data.state() if isinstance(data, Stream) else None
                keep(images, ending=True)
            with written("The model"):
                save(out / "final", ema, prior, state.classes)
        accelerator.wait_for_everyone()
    return ema.denoiser


def _seed(seed: int, device: torch.device) -> None:
    """Seeds what a device draws from; `torch.manual_seed` asks for devices that are not there."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def _parts(
    count: int, batch: Batch, t: Tensor, weight: Tensor
) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """The parts of a batch with their times and weights."""
    return zip(batch.split(count), t.chunk(count), weight.chunk(count), strict=True)


def _is_due(position: int, options: TrainingOptions) -> bool:
    """Whether something is drawn or saved after so many images."""
    before = max(position - options.batch_size, 0)
    every = (options.sample_every, options.checkpoint_every, options.ema_every)
    return any(_passes(interval, before, position) for interval in every)


def _passes(interval: int, before: int, after: int) -> bool:
    """Whether a multiple of the interval lies in (before, after]; of 0 there is none."""
    return interval > 0 and before // interval < after // interval


@torch.no_grad()
def _draw(path: Path, ema: EMA, prior: Prior) -> None:
    from ..plots import save_grid

    noise = generators(0, range(16))
    x1 = prior.sample(16, generator=noise).to(next(ema.denoiser.parameters()).device)
    grid = MultistepSampler(ema.process, ema, steps=20)(x1, generator=noise).cpu()
    with written(str(path)):
        save_grid(grid, path)
