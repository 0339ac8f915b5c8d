"""Measures what the project promises about speed, always against something measured beside it.

`make bench` prints the table and writes `results.json` and `README.md` next to this file. Absolute
times depend on the machine and on what else it does; so each figure is a ratio of two times
whose repeats alternate within one run.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy
import scipy.fft
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.cli.commands import COMMANDS
from softdiffusion.studies.machine import processor

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """A measurement, or the reason why there is none.

    `fastest` is the same figure from the fastest repeats, which other work on the machine
    disturbs least. A goal counts as met only if both figures meet it.
    """

    name: str
    what: str
    goal: str
    figure: str = ""
    fastest: str = ""
    met: bool | None = None
    ours_ms: float | None = None
    reference_ms: float | None = None
    skipped: str = ""


@dataclass(frozen=True)
class Timing:
    """Seconds of our repeats and of the reference's, measured in turn."""

    ours: list[float]
    reference: list[float]

    def row(
        self,
        name: str,
        what: str,
        goal: str,
        figure: Callable[[float, float], str],
        meets: Callable[[float, float], bool] | None = None,
        per: int = 1,
    ) -> Row:
        """Makes a row from our seconds, divided by `per`, and the reference's."""
        median = statistics.median(self.ours) / per, statistics.median(self.reference)
        fastest = min(self.ours) / per, min(self.reference)
        met = None if meets is None else meets(*median) and meets(*fastest)
        ours_ms, reference_ms = (round(1000 * seconds, 4) for seconds in median)
        return Row(name, what, goal, figure(*median), figure(*fastest), met, ours_ms, reference_ms)


def main() -> None:
    settle_allocator()
    machine = describe_machine()
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    rows: list[Row] = []
    for measure in (
        blur,
        corruptions,
        training_step,
        training,
        sampler_steps,
        schedule_selection,
        import_time,
    ):
        for row in measure():
            rows.append(row)
            fastest = f" (fastest: {row.fastest})" if row.fastest else ""
            print(f"{row.name}: {row.figure or row.skipped}{fastest}; goal: {row.goal}", flush=True)
    results = {"machine": machine, "rows": [asdict(row) for row in rows]}
    (FOLDER / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (FOLDER / "README.md").write_text(markdown(machine, rows))
    print(f"wrote {FOLDER / 'results.json'} and README.md")


def blur() -> list[Row]:
    """Gaussian blur with one severity an image, against the same by SciPy's FFT-based DCT."""
    found = torch.get_num_threads()
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for shape in ((64, 1, 28, 28), (32, 3, 64, 64)):
            rows += blur_of(shape, threads)
    torch.set_num_threads(found)
    return rows


def blur_of(shape: tuple[int, ...], threads: int) -> list[Row]:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    severity = torch.linspace(0.2, 16, len(x))
    corruption, dct = sd.GaussianBlur(), sd.GaussianBlur().transform
    given = spectrum_in_numpy(shape, severity.numpy())
    spectrum = torch.from_numpy(given)
    axes = {"axes": (2, 3), "norm": "ortho", "workers": threads}

    def pair() -> Tensor:
        return dct.inverse(spectrum * dct.forward(x))

    def scipy_pair(spectrum: np.ndarray = given) -> np.ndarray:
        return scipy.fft.idctn(spectrum * scipy.fft.dctn(x.numpy(), **axes), **axes)

    def whole() -> Tensor:
        return corruption.at(severity)(x)

    def scipy_whole() -> np.ndarray:
        return scipy_pair(spectrum_in_numpy(shape, severity.numpy()))

    for result in (pair(), whole(), scipy_whole()):
        np.testing.assert_allclose(result, scipy_pair(), atol=1e-5)
    case = f"{'x'.join(map(str, shape))}, {threads} thread{'s' if threads > 1 else ''}"
    return [
        times_as_fast(
            f"blur of {case}",
            "GaussianBlur().at(severity)(x) / SciPy's dctn, product, idctn; both make the spectrum "
            "from one severity an image",
            side_by_side(whole, scipy_whole, repeats=100),
            goal=5,
        ),
        times_as_fast(
            f"transforms of {case}",
            "DCT, product, inverse DCT by matrix products / SciPy's dctn, product, idctn; the "
            "spectrum is given to both",
            side_by_side(pair, scipy_pair, repeats=100),
            goal=5,
        ),
    ]


def spectrum_in_numpy(shape: tuple[int, ...], severity: np.ndarray) -> np.ndarray:
    """The transfer function of the blur, (B, 1, H, W), in the fewest exponentials."""
    height, width = (
        np.exp(-0.5 * np.outer(severity, np.pi * np.arange(n, dtype=np.float32) / n) ** 2)
        for n in shape[2:]
    )
    return (height[:, :, None] * width[:, None, :]).astype(np.float32)[:, None]


#: Every family that is diagonal in a transform for any image, and a severity of the middle.
FAMILIES: list[tuple[sd.Corruption, float]] = [
    (sd.HeatKernel(), 50.0),
    (sd.AnisotropicBlur(), 10.0),
    (sd.AnisotropicBlur(angle=30), 10.0),
    (sd.MotionBlur(angle=30), 10.0),
    (sd.DefocusBlur(), 10.0),
    (sd.IdealLowPass(), 10.0),
    (sd.Butterworth(), 10.0),
    (sd.PowerLaw(), 2.0),
    (sd.UndersampledFourier(), 1.0),
    (sd.FadingMask(), 10.0),
    (sd.GrowingBox(), 1.0),
    (sd.RandomPixels(), 1.0),
    (sd.Outpainting(), 1.0),
    (sd.Pixelate(), 6.0),
    (sd.Downsample(), 6.0),
    (sd.Greyscale(), 1.0),
    (sd.ChannelMixing([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]), 1.0),
    (sd.Scaling(), 1.0),
    (sd.RandomProjection(), 1.0),
]


def corruptions() -> list[Row]:
    """What the other families cost, with one severity an image, beside Gaussian blur."""
    x = torch.randn(64, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    shares = torch.linspace(0.05, 1, len(x))
    what = "at(severity)(x) / GaussianBlur().at(severity)(x), 64x3x64x64, one severity an image"

    def apply(corruption: sd.Corruption, largest: float) -> Callable[[], Tensor]:
        return lambda: corruption.at(largest * shares)(x)

    rows = []
    for corruption, largest in FAMILIES:
        at = f" at {corruption.angle:g} degrees" if hasattr(corruption, "angle") else ""
        timing = side_by_side(
            apply(corruption, largest), apply(sd.GaussianBlur(), 16.0), repeats=15
        )
        rows.append(
            timing.row(
                f"{type(corruption).__name__}{at} in blurs",
                what,
                "at most 3 blurs",
                figure=lambda ours, reference: f"{ours / reference:.2f} blurs",
                meets=lambda ours, reference: ours <= 3 * reference,
            )
        )
    return rows


def training_step() -> list[Row]:
    """Corruption and loss, forwards and backwards, as a share of a training step."""
    process, denoiser = small_model()
    ema = sd.EMA(denoiser)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=1e-4)
    x0 = torch.rand(64, 1, 28, 28) * 2 - 1
    t, noise = torch.rand(64), torch.randn_like(x0)
    prediction = torch.randn_like(x0).requires_grad_()

    def loss_alone() -> None:
        sd.soft_score_matching(process, lambda x_t, t: prediction, x0, t, noise).mean().backward()

    def whole_step() -> None:
        sd.soft_score_matching(process, denoiser, x0, t, noise).mean().backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.update(denoiser)

    timing = side_by_side(loss_alone, whole_step, repeats=15)
    what = "perturb, soft loss and their gradient / step with SmallUNet(1, width=24), 64x1x28x28"
    return [share("corruption and soft loss in a training step", what, timing, goal=3)]


def training() -> list[Row]:
    """A step of `sd.train` beside one of the shortest loop that trains the same network."""
    images = (torch.rand(2048, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 255).byte()
    objective = sd.StepMatched(10, soft_share=0.1)
    timing = Timing([], [])
    for repeat in range(7):
        steps = 8 if repeat else 2  # the first round is not measured
        for train, record in ((by_train, timing.ours), (by_hand, timing.reference)):
            took = step_seconds(train, images, objective, steps)
            record += took if repeat else []
    return [
        timing.row(
            "training by sd.train over a bare loop",
            "step of sd.train, with clipping, average, records and checks / step of a loop with "
            "the same network, loss and Adam, its data on the device; SmallUNet(1), 64x1x28x28, in "
            "turns of 8 steps",
            "at most 3 % slower",
            figure=lambda ours, reference: f"{100 * (ours / reference - 1):.1f} % slower",
            meets=lambda ours, reference: ours <= 1.03 * reference,
        )
    ]


#: Trains a denoiser on images by an objective for so many steps of 64 images.
Train = Callable[[sd.Denoiser, Tensor, sd.Objective, int], None]


def step_seconds(train: Train, images: Tensor, objective: sd.Objective, steps: int) -> list[float]:
    """The seconds of every step, from one call of the network to the next."""
    process, _ = small_model()
    torch.manual_seed(0)
    denoiser = sd.Denoiser(sd.SmallUNet(channels=1), process)
    calls: list[float] = []
    denoiser.register_forward_pre_hook(lambda *_: calls.append(time.perf_counter()))
    train(denoiser, images, objective, steps + 2)  # the first step allocates
    return [end - begin for begin, end in zip(calls[1:], calls[2 : steps + 2], strict=False)]


def by_train(denoiser: sd.Denoiser, images: Tensor, objective: sd.Objective, steps: int) -> None:
    options = sd.TrainingOptions(batch_size=64, checkpoint_every=10**9)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        sd.train(images, denoiser, objective, 64 * steps, out=out, options=options, progress=False)


def by_hand(denoiser: sd.Denoiser, images: Tensor, objective: sd.Objective, steps: int) -> None:
    denoiser.train()
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=1e-3)
    x = images.float() / 127.5 - 1
    for _ in range(steps):
        x0 = x[torch.randint(len(x), (64,))]
        noise, t = torch.randn_like(x0), torch.rand(64)
        objective(denoiser.process, denoiser, x0, t, noise).mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def sampler_steps() -> list[Row]:
    """What a sampler adds to each network call."""
    process, denoiser = small_model()
    denoiser.eval()
    x1 = torch.randn(64, 1, 28, 28)
    free = Constant(process, torch.zeros_like(x1))

    @torch.no_grad()
    def network_call() -> None:
        denoiser(x1, torch.tensor(0.5))

    def overhead(sampler: sd.Sampler) -> Row:
        timing = side_by_side(lambda: sampler(x1), network_call, repeats=15)
        what = "a step without the network / one call of SmallUNet(1, width=24) on 64x1x28x28"
        name = f"step of {type(sampler).__name__} over the network call"
        return share(name, what, timing, goal=3, per=sampler.nfe)

    samplers = (sd.MomentumSampler, sd.MultistepSampler)
    return [overhead(sampler(process, free, steps=20)) for sampler in samplers]


class Constant(sd.BaseDenoiser):
    """A denoiser that costs nothing, so that what remains is the sampler."""

    def __init__(self, process: sd.SoftDiffusion, x0_hat: Tensor) -> None:
        super().__init__()
        self.process = process
        self.x0_hat = x0_hat

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.x0_hat


def schedule_selection() -> list[Row]:
    """Choosing levels by distances in closed form, against one distance by optimal assignment."""
    name = "schedule selection on 10,000 images"
    what = (
        "32 of 256 levels, closed form, 10,000 Fashion-MNIST images / one exact assignment with "
        "its cost matrix (SciPy), 1,000 of them at severities 2 and 2.1"
    )
    goal = "less than 1 assignment"
    try:
        data = sd.data.load("fashion-mnist")[:10_000]
    except FileNotFoundError as error:
        return [Row(name, what, goal, skipped=f"skipped: {error}")]
    corruption = sd.GaussianBlur()

    def select() -> None:
        sd.schedules.wasserstein(corruption, data, 16.0, (0.02, 0.2), levels=32, candidates=256)

    def assign() -> None:
        sd.schedules.wasserstein_distance(corruption, data, 2.0, 2.1, method="exact", samples=1000)

    timing = side_by_side(select, assign, repeats=7)
    return [
        timing.row(
            name,
            what,
            goal,
            figure=lambda ours, reference: f"{ours / reference:.2f} assignments",
            meets=lambda ours, reference: ours < reference,
        )
    ]


def import_time() -> list[Row]:
    """The package and its commands in a fresh process, against importing torch alone."""

    def fresh(code: str) -> Callable[[], object]:
        command = [sys.executable, "-c", code]
        return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    rows = []
    starts = {"import time": "import softdiffusion; softdiffusion.load"}
    starts |= {f"start of {name}": _start(name) for name in COMMANDS}
    for name, code in starts.items():
        timing = side_by_side(fresh(code), fresh("import torch"), repeats=7)
        what = "import softdiffusion" if name == "import time" else "the command with --help"
        rows.append(
            timing.row(
                name,
                f"{what} / import torch, each in a fresh process",
                "at most 1.3",
                figure=lambda ours, reference: f"{ours / reference:.2f} times torch's",
                meets=lambda ours, reference: ours <= 1.3 * reference,
            )
        )
    return rows


def _start(command: str) -> str:
    return f"from softdiffusion.cli.main import main; main([{command!r}, '--help'])"


def small_model() -> tuple[sd.SoftDiffusion, sd.Denoiser]:
    torch.manual_seed(0)
    schedule = sd.schedules.geometric(severity=(0.2, 16.0), sigma=(0.02, 0.2))
    process = sd.SoftDiffusion(sd.GaussianBlur(), schedule)
    return process, sd.Denoiser(sd.SmallUNet(channels=1, width=24), process)


def side_by_side(
    ours: Callable[[], object], reference: Callable[[], object], repeats: int
) -> Timing:
    """Measures both in turn after one unmeasured call of each."""
    timing = Timing([], [])
    for repeat in range(repeats + 1):
        for function, record in ((ours, timing.ours), (reference, timing.reference)):
            start = time.perf_counter()
            function()
            if repeat:
                record.append(time.perf_counter() - start)
    return timing


def times_as_fast(name: str, what: str, timing: Timing, goal: float) -> Row:
    return timing.row(
        name,
        what,
        f"at least {goal:g} times",
        figure=lambda ours, reference: f"{reference / ours:.2f} times as fast",
        meets=lambda ours, reference: reference >= goal * ours,
    )


def share(name: str, what: str, timing: Timing, goal: float, per: int = 1) -> Row:
    return timing.row(
        name,
        what,
        f"at most {goal:g} %",
        figure=lambda ours, reference: f"{100 * ours / reference:.2f} %",
        meets=lambda ours, reference: 100 * ours <= goal * reference,
        per=per,
    )


def settle_allocator() -> None:
    """Frees one large block, as every training does at its first step.

    Until then glibc gives arrays of a megabyte back to the system after each use, and what is
    measured, on both sides, is how fast the system hands out pages.
    """
    torch.empty(2**22)


def describe_machine() -> dict[str, str]:
    variables = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    stated = [f"{name}={value}" for name, value in variables.items() if value]
    threads = f"torch uses {torch.get_num_threads()}" + "".join(f", {text}" for text in stated)
    busy = f"{os.getloadavg()[0]:.1f} of {os.cpu_count()}"
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "load average of the minute before": f"{busy} cores; what had just ended counts, and where "
        "no core is free, threads wait for each other and their rows say nothing",
        "threads where not stated": threads,
        "versions": f"softdiffusion {sd.__version__}, torch {torch.__version__}, "
        f"scipy {scipy.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
    }


def markdown(machine: dict[str, str], rows: list[Row]) -> str:
    table = [
        "| measurement | by medians | by the fastest | goal | met | ours | reference |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        times = [f"{ms:.3g} ms" if ms is not None else "" for ms in (r.ours_ms, r.reference_ms)]
        met = {True: "yes", False: "no", None: ""}[r.met]
        cells = (r.name, r.figure or r.skipped, r.fastest, r.goal, met, *times)
        table.append("| " + " | ".join(cells) + " |")
    compared = dict.fromkeys(f"* {r.what}" for r in rows)
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`. Every figure is a ratio of two times whose repeats alternate "
            "within one run: of their medians, and of the fastest repeats, which other work on the "
            "machine disturbs least. A goal counts as met if both meet it. The times are medians. "
            "What a GPU gives is in [gpu.md](gpu.md).",
            "",
            *table,
            "",
            "What is compared (ours / reference):",
            "",
            *compared,
            "",
            "Where it was measured:",
            "",
            *(f"* {name}: {value}" for name, value in machine.items()),
            "",
        ]
    )


if __name__ == "__main__":
    main()
