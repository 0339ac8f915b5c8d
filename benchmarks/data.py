"""Measures the way from many files to the first step of a training.

    python benchmarks/data.py

writes PNGs of 64 x 64 pixels into a temporary folder, reads them from a warm cache and by
decoding, looks at the memory of processes that read 5,000 and 50,000 of them, and at how long the
command takes with 500 and with 50,000; it prints the table and writes `data.json` and `data.md`
next to this file. `make bench` runs it, too.
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
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image, ImageFilter

import softdiffusion as sd
from softdiffusion.data import DataOrder, open
from softdiffusion.pictures import read_picture
from softdiffusion.studies.machine import processor

FOLDER = Path(__file__).parent

SIDE = 64
BATCH = 128

#: The numbers of files of the sets that are compared.
START, SMALL, READ, LARGE = 500, 5_000, 20_000, 50_000

#: How often each command is timed, in turn.
REPEATS = 3

#: One step of a small network, with nothing that takes longer for more pictures but reading them.
TRAIN = (
    "train --preset rectified_flow --prior data --backbone SmallUNet --backbone.width 8 "
    "--backbone.multipliers [1] --backbone.attention false --progress false "
    f"--batch_size {BATCH} --images {BATCH}"
)

#: Reads all pictures of a set in a random order, and prints what is resident then, in MB.
READER = """
import sys
from pathlib import Path
from softdiffusion.data import DataOrder, open
images = open("folder:" + sys.argv[1], cache=sys.argv[2])
for indices in DataOrder(len(images), 0).indices(0, len(images)).split(int(sys.argv[3])):
    images.batch(indices)
lines = Path("/proc/self/status").read_text().splitlines()
status = dict(line.split(":", 1) for line in lines)
print(*(int(status[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM")))
"""


def main() -> None:
    machine = {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "versions": f"softdiffusion {sd.__version__}, torch {torch.__version__}, Pillow "
        f"{PIL.__version__}, Python {platform.python_version()}",
    }
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="softdiffusion-bench-") as temporary:
        place = Path(temporary)
        sets = written(place)
        for measure in (reading, memory, start):
            load = os.getloadavg()[0]
            for row in measure(place, sets):
                rows.append(row | {"load": load})
                print(f"{row['name']}: {row['figure']}; goal: {row['goal']}", flush=True)
    (FOLDER / "data.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2))
    (FOLDER / "data.md").write_text(markdown(machine, rows))
    print(f"wrote {FOLDER / 'data.json'} and data.md")


def written(place: Path) -> dict[int, Path]:
    """Sets of so many files; they share the files, which are windows of smooth noise."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (1024, 1024, 3), dtype=np.uint8))
    texture = np.asarray(noise.filter(ImageFilter.GaussianBlur(2)))
    sets = {count: place / f"{count}" for count in (START, SMALL, READ, LARGE)}
    for folder in sets.values():
        folder.mkdir()
    for i in range(LARGE):
        top, left = rng.integers(0, 1024 - SIDE, 2)
        first = sets[LARGE] / f"{i:05d}.png"
        window = texture[top : top + SIDE, left : left + SIDE]
        Image.fromarray(window).save(first, compress_level=1)
        for count, folder in sets.items():
            if i < count < LARGE:
                os.link(first, folder / first.name)
    return sets


def reading(place: Path, sets: dict[int, Path]) -> list[dict[str, Any]]:
    """All training pictures in a random order, by the cache and by decoding."""
    clock = time.perf_counter()
    images = open(f"folder:{sets[READ]}", cache=place / "cache")
    images.digest()
    built = time.perf_counter() - clock
    order = DataOrder(len(images), 0).indices(0, len(images)).split(BATCH)
    files = images.files

    def cached() -> None:
        for indices in order:
            images.batch(indices)

    def decoded() -> None:
        for indices in order:
            for index in indices.tolist():
                read_picture(files[index])

    ours, reference = alternately(cached, decoded)
    speeds = [len(images) / statistics.median(times) for times in (ours, reference)]
    figure = f"{speeds[0] / speeds[1]:.1f} times as fast, {speeds[0]:,.0f} pictures a second"
    return [
        row("a warm cache against decoding in one process", figure, "reported", speeds),
        row("building that cache", f"{len(images) / built:,.0f} files a second", "reported", built),
    ]


def memory(place: Path, sets: dict[int, Path]) -> list[dict[str, Any]]:
    """Fresh processes that have read all pictures from the cache."""
    found = {}
    for count in (SMALL, LARGE):
        open(f"folder:{sets[count]}", cache=place / "cache").digest()
        command = [sys.executable, "-c", READER, sets[count], place / "cache", str(BATCH)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[count] = [float(word) for word in told.split()]
    rows = []
    for k, name in enumerate(("resident memory", "most resident memory")):
        small, large = found[SMALL][k], found[LARGE][k]
        figure = f"{small:,.0f} MB for {SMALL:,} files, {large:,.0f} MB for {LARGE:,}"
        rows.append(row(name, figure, "equal within 50 MB", [small, large], large - small <= 50))
    return rows


def start(place: Path, sets: dict[int, Path]) -> list[dict[str, Any]]:
    """The whole command with one step: what follows the step is the same for both."""

    def command(count: int) -> Callable[[], None]:
        def run() -> None:
            with tempfile.TemporaryDirectory(dir=place) as out:
                given = f"--data folder:{sets[count]} --cache {place / 'cache'} --out {out}/run"
                words = [sys.executable, "-m", "softdiffusion", *TRAIN.split(), *given.split()]
                subprocess.run(words, check=True, capture_output=True)

        return run

    for count in (START, LARGE):
        command(count)()
    times = alternately(command(START), command(LARGE))
    few, many = map(statistics.median, times)
    figure = f"{many - few:+.2f} s over {few:.1f} s ({min(times[1]) - min(times[0]):+.2f} s of the "
    figure += "fastest)"
    name = f"a command with one step, {LARGE:,} cached files over {START:,}"
    return [row(name, figure, "at most 2 s more", times, many - few <= 2)]


def alternately(*tasks: Callable[[], None]) -> list[list[float]]:
    """Seconds of tasks that are repeated in turn."""
    seconds: list[list[float]] = [[] for _ in tasks]
    for _ in range(REPEATS):
        for k, task in enumerate(tasks):
            clock = time.perf_counter()
            task()
            seconds[k].append(time.perf_counter() - clock)
    return seconds


def row(name: str, figure: str, goal: str, values: Any, met: bool | None = None) -> dict[str, Any]:
    return {"name": name, "figure": figure, "goal": goal, "met": met, "values": values}


def markdown(machine: dict[str, str], rows: list[dict[str, Any]]) -> str:
    said = {None: "", True: "yes", False: "no"}
    return "\n".join(
        [
            "# From files to the first step",
            "",
            f"Written by `python benchmarks/data.py`: PNGs of {SIDE} x {SIDE} pixels in colour, "
            f"read in batches of {BATCH} in a random order. Times are medians of {REPEATS} repeats "
            "in turn; memory is that of a fresh process that has read every picture once. "
            "Load is the mean number of processes that ran or waited in the minute before.",
            "",
            "| measurement | figure | goal | met | load |",
            "|---|---|---|---|---|",
            *(
                f"| {r['name']} | {r['figure']} | {r['goal']} | {said[r['met']]} "
                f"| {r['load']:.1f} |"
                for r in rows
            ),
            "",
            *(f"* {name}: {value}" for name, value in machine.items()),
            "",
        ]
    )


if __name__ == "__main__":
    main()
