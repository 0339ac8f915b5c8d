"""What a training refuses before its first step."""

import copy
from pathlib import Path

import torch

from ..arguments import checked
from ..data import Images, SetLike, Stream, as_set
from ..denoisers import BaseDenoiser
from ..denoisers.compiled import check_compilable
from ..files import check_writable
from ..objectives import Objective
from ..priors import Prior
from ..saving import as_path, begin_from, check_savable
from .checkpoint import Checkpoints
from .claim import alone, claim, described
from .labels import names_of
from .options import TrainingOptions
from .processes import check_precision, own_state, processes
from .trackers import check_trackers
from .validation import check_held_out

__all__ = ["check"]


@checked
@own_state()
def check(
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
) -> None:
    """Raises what `train` would raise before its first step, and writes nothing.

    The arguments are those of `train`. Whether a checkpoint is whole is seen by `train` alone.

    Raises:
        ValueError: As `train`.
        OSError: If the folder can't be written.
    """
    from accelerate import Accelerator

    options = options or TrainingOptions()
    if images < 1:
        raise ValueError(f"A training needs at least 1 image to train on, not {images}.")
    data = data if isinstance(data, Stream) else as_set(data)
    out = as_path(out)
    init = None if init is None else as_path(init)
    check_savable(denoiser, prior, names_of(data, denoiser.classes))
    _check_weights(denoiser)
    _check_grids(data, prior, options)
    _check_held_out(data, None if held_out is None else as_set(held_out), denoiser, options)
    check_trackers(options.track)
    if init is not None:
        begin_from(copy.deepcopy(denoiser), init)
    processes()  # first, since it says where they are
    accelerator = Accelerator(mixed_precision=options.precision)
    check_precision(accelerator, options.precision)
    if options.compile:
        check_compilable(denoiser, on_gpu=accelerator.device.type == "cuda")
    if options.batch_size % accelerator.num_processes:
        raise ValueError(
            f"A batch of {options.batch_size} images can't be shared evenly by "
            f"{accelerator.num_processes} processes; choose a multiple of their number."
        )
    share = options.batch_size // accelerator.num_processes
    if share % options.accumulate:
        raise ValueError(
            f"A batch of {share} images can't be gone through in {options.accumulate} equal parts; "
            "set accumulate to a divisor of it."
        )
    if turns and data.shape[-2] != data.shape[-1]:
        raise ValueError(
            f"Quarter turns need square images, but these are {data.shape[-1]} x {data.shape[-2]} "
            "pixels; leave out turns, or give a size."
        )
    if accelerator.is_main_process:
        check_writable(out)
        config = described(data, denoiser, objective, options, seed, flips, turns, init)
        run = claim(out, config, write=False)
        seen = Checkpoints(out, run).images
        if seen > options.whole_batches(images):
            raise ValueError(
                f"The training in {out} has seen {seen} images already, more than {images}; ask "
                "for as many or more, or choose another folder."
            )
        if (out / "training.lock").exists():  # or else nobody is there
            with alone(out):
                pass


def _check_weights(denoiser: BaseDenoiser) -> None:
    trained = [weight for weight in denoiser.parameters() if weight.requires_grad]
    if not trained:
        raise ValueError(
            f"The {type(denoiser).__name__} has no weights that are trained; give a denoiser with "
            "a network, whose weights denoiser.requires_grad_() frees."
        )
    if any(weight.dtype == torch.float16 for weight in trained):
        raise ValueError(
            "Weights in half precision can't be trained, since small steps are lost; give "
            "denoiser.float(), and precision='fp16' for a mixed one."
        )


def _check_held_out(
    data: Images | Stream, held_out: Images | None, denoiser: BaseDenoiser, options: TrainingOptions
) -> None:
    if held_out is not None:
        check_held_out(held_out, data, denoiser.classes)
    if (held_out is None) != (options.validate_every == 0):
        given = "none are given" if held_out is None else "validate_every is 0"
        raise ValueError(
            f"A validation needs images that are held out, and an interval, but {given}; give "
            "both, held_out and validate_every, or neither."
        )


def _check_grids(data: Images | Stream, prior: Prior | None, options: TrainingOptions) -> None:
    if not options.sample_every:
        return
    if prior is None:
        raise ValueError(
            f"Sample grids every {options.sample_every} images need a start, but there is no prior "
            "to be saved with the model; set sample_every to 0, or give a fitted prior."
        )
    if data.shape[0] not in (1, 3):
        raise ValueError(
            f"Sample grids show images of 1 or 3 channels, but these have {data.shape[0]}; set "
            "sample_every to 0."
        )
