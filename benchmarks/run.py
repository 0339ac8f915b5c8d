"""Measures what the project promises about speed, always against something measured beside it.

`make bench` prints the table and writes `results.json` and `README.md` next to this file. Absolute
times depend on the machine and on what else it does; so each figure is a ratio of two medians
whose repeats alternate within one run.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
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

FOLDER = Path(__file__).parent
MILLISECONDS = 1e3


@dataclass(frozen=True)
class Row:
    """A measurement: two medians in milliseconds, or the reason why there is none."""

    name: str
    what: str
    goal: str
    ours_ms: float | None = None
    reference_ms: float | None = None
    figure: str = ""
    met: bool | None = None
    skipped: str = ""


def main() -> None:
    machine = describe_machine()
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    rows: list[Row] = []
    for measure in (blur, training_step, sampler_steps, schedule_selection, import_time):
        for row in measure():
            rows.append(row)
            print(f"{row.name}: {row.figure or row.skipped} (goal: {row.goal})", flush=True)
    results = {"machine": machine, "rows": [asdict(row) for row in rows]}
    (FOLDER / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (FOLDER / "README.md").write_text(markdown(machine, rows))
    print(f"wrote {FOLDER / 'results.json'} and README.md")


def blur() -> list[Row]:
    """Gaussian blur with one severity an image, against the same by SciPy's FFT-based DCT."""
    rows = []
    found = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for shape in ((64, 1, 28, 28), (32, 3, 64, 64)):
            x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
            severity = torch.linspace(0.2, 16, len(x))
            corruption = sd.GaussianBlur()
            array, spectrum = x.numpy(), spectrum_in_numpy(x, severity)

            def by_scipy(
                x: np.ndarray = array, spectrum: np.ndarray = spectrum, workers: int = threads
            ) -> np.ndarray:
                z = scipy.fft.dctn(x, axes=(2, 3), norm="ortho", workers=workers)
                return scipy.fft.idctn(spectrum * z, axes=(2, 3), norm="ortho", workers=workers)

            np.testing.assert_allclose(corruption.at(severity)(x), by_scipy(), atol=1e-5)
            ours, reference = side_by_side(
                lambda c=corruption, s=severity, x=x: c.at(s)(x), by_scipy, repeats=100
            )
            name = f"blur of {'x'.join(map(str, shape))}, {threads} thread{'s'[: threads - 1]}"
            what = "GaussianBlur().at(severity)(x) / scipy.fft dctn, product, idctn, spectrum given"
            rows.append(times_as_fast(name, what, ours, reference, 5))
    torch.set_num_threads(found)
    return rows


def spectrum_in_numpy(x: Tensor, severity: Tensor) -> np.ndarray:
    """The transfer function of the blur, (B, 1, H, W), made once and not timed."""
    height, width = (np.pi * np.arange(n) / n for n in x.shape[2:])
    frequencies = height[:, None] ** 2 + width[None, :] ** 2
    std = severity.numpy().reshape(-1, 1, 1, 1)
    return np.exp(-0.5 * std**2 * frequencies).astype(np.float32)


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

    ours, reference = side_by_side(loss_alone, whole_step, repeats=15)
    what = "perturb, soft loss and their gradient / step with SmallUNet(1, width=24), 64x1x28x28"
    return [share("corruption and soft loss in a training step", what, ours, reference, 3)]


def sampler_steps() -> list[Row]:
    """What a sampler adds to each network call."""
    process, denoiser = small_model()
    denoiser.eval()
    x1 = torch.randn(64, 1, 28, 28)
    rows = []
    for sampler in (sd.MomentumSampler, sd.MultistepSampler):
        bare = sampler(process, Constant(process, torch.zeros_like(x1)), steps=20)

        @torch.no_grad()
        def network_call() -> None:
            denoiser(x1, torch.tensor(0.5))

        ours, reference = side_by_side(lambda s=bare: s(x1), network_call, repeats=15)
        what = "a step without the network / SmallUNet(1, width=24) on 64x1x28x28"
        name = f"{sampler.__name__} over the network call"
        rows.append(share(name, what, ours / bare.nfe, reference, 3))
    return rows


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

    ours, reference = side_by_side(select, assign, repeats=7)
    figure = f"{ours / reference:.2f} assignments"
    return [row(name, what, goal, ours, reference, figure, met=ours < reference)]


def import_time() -> list[Row]:
    """Importing the package in a fresh process, against importing torch alone."""

    def fresh(module: str) -> Callable[[], object]:
        command = [sys.executable, "-c", f"import {module}"]
        return lambda: subprocess.run(command, check=True)

    ours, reference = side_by_side(fresh("softdiffusion"), fresh("torch"), repeats=7)
    what = "import softdiffusion / import torch, each in a fresh process"
    figure = f"{ours / reference:.2f} times"
    return [row("import time", what, "little more than 1", ours, reference, figure, met=None)]


def small_model() -> tuple[sd.SoftDiffusion, sd.Denoiser]:
    torch.manual_seed(0)
    schedule = sd.schedules.geometric(severity=(0.2, 16.0), sigma=(0.02, 0.2))
    process = sd.SoftDiffusion(sd.GaussianBlur(), schedule)
    return process, sd.Denoiser(sd.SmallUNet(channels=1, width=24), process)


def side_by_side(
    ours: Callable[[], object], reference: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Median seconds of both, measured in turn after one unmeasured call of each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for function, record in zip((ours, reference), seconds, strict=True):
            start = time.perf_counter()
            function()
            if repeat:
                record.append(time.perf_counter() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def times_as_fast(name: str, what: str, ours: float, reference: float, goal: float) -> Row:
    ratio = reference / ours
    figure = f"{ratio:.2f} times as fast"
    return row(name, what, f"at least {goal:g} times", ours, reference, figure, met=ratio >= goal)


def share(name: str, what: str, ours: float, reference: float, goal: float) -> Row:
    percent = 100 * ours / reference
    figure = f"{percent:.2f} %"
    return row(name, what, f"at most {goal:g} %", ours, reference, figure, met=percent <= goal)


def row(
    name: str,
    what: str,
    goal: str,
    ours: float,
    reference: float,
    figure: str,
    met: bool | None,
) -> Row:
    ms = round(ours * MILLISECONDS, 4), round(reference * MILLISECONDS, 4)
    return Row(name, what, goal, *ms, figure, met)


def describe_machine() -> dict[str, str]:
    variables = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    stated = [f"{name}={value}" for name, value in variables.items() if value]
    threads = f"torch uses {torch.get_num_threads()}" + "".join(f", {text}" for text in stated)
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "busy cores at the start": f"{os.getloadavg()[0]:.1f}",
        "threads where not stated": threads,
        "versions": f"softdiffusion {sd.__version__}, torch {torch.__version__}, "
        f"scipy {scipy.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def markdown(machine: dict[str, str], rows: list[Row]) -> str:
    table = [
        "| measurement | result | goal | met | ours | reference |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        times = [f"{ms:.3g} ms" if ms is not None else "" for ms in (r.ours_ms, r.reference_ms)]
        met = {True: "yes", False: "no", None: ""}[r.met]
        cells = (r.name, r.figure or r.skipped, r.goal, met, *times)
        table.append("| " + " | ".join(cells) + " |")
    compared = dict.fromkeys(f"* {r.name.split(',')[0]}: {r.what}" for r in rows)
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`. Every figure is the ratio of two medians whose repeats "
            "alternate within one run.",
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
