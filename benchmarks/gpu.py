"""Measures what a GPU gives: images a second and memory, in training and in sampling.

    python benchmarks/gpu.py

trains every recipe for some steps, as `softdiffusion train` does, on random images of its shape,
samples with what that gave, and writes `gpu.json` and `gpu.md` next to this file. Unlike those of
`make bench`, these times are absolute: they say what to expect of the GPU that the file names.
"""

import json
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import softdiffusion as sd
from softdiffusion.cli.recipe import Recipe
from softdiffusion.cli.train import parser
from softdiffusion.data import ArrayImages

FOLDER = Path(__file__).parent

#: Recipe, images a step, and precision.
TRAININGS = [
    ("fashion-mnist-16", 64, "no"),
    ("fashion-mnist-16", 1024, "no"),
    ("fashion-mnist-32", 128, "no"),
    ("fashion-mnist-32", 128, "bf16"),
    ("cifar-10-flow", 128, "bf16"),
    ("celeba-64-flow", 128, "no"),
    ("celeba-64-flow", 128, "bf16"),
]

#: Steps between two readings of the clock, of which the first is left out.
STEPS = 12
READINGS = 4

#: Images drawn at a time, with so many calls each.
DRAWN = 256
CALLS = 10


def main() -> None:
    if not torch.cuda.is_available():
        raise SystemExit("There is no GPU to measure; `make bench` measures on the processor.")
    machine = {
        "GPU": torch.cuda.get_device_name(),
        "versions": f"softdiffusion {sd.__version__}, torch {torch.__version__}, "
        f"CUDA {torch.version.cuda}, Python {platform.python_version()}",
    }
    rows = []
    for training in TRAININGS:
        rows.append(measure(*training))
        print(rows[-1], flush=True)
        (FOLDER / "gpu.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2))
        (FOLDER / "gpu.md").write_text(markdown(machine, rows))


def measure(name: str, batch: int, precision: str) -> dict[str, Any]:
    """Trains by a recipe and samples with the result."""
    reader = parser()
    config = FOLDER.parent / "recipes" / f"{name}.yaml"
    recipe = Recipe(reader, reader.parse_args(["--config", str(config), "--out", "unused"]))
    shape = (recipe.arguments.channels, recipe.arguments.size, recipe.arguments.size)
    pixels = torch.randint(256, (4 * batch, *shape), dtype=torch.uint8)
    data = ArrayImages("random", pixels)
    denoiser = recipe.denoiser(recipe.process(recipe.selection(data)))
    options = replace(
        recipe.options(),
        batch_size=batch,
        precision=precision,
        log_every=STEPS * batch,
        checkpoint_every=READINGS * STEPS * batch,
        sample_every=0,
    )
    torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as out:
        images = READINGS * STEPS * batch
        ema = sd.train(
            data,
            denoiser,
            recipe.built.objective,
            images,
            out=out,
            options=options,
            flips=recipe.arguments.flips,
            progress=False,
        )
        records = (Path(out) / "stats.jsonl").read_text().splitlines()
    speeds = [json.loads(record)["images_per_second"] for record in records]
    memory = torch.cuda.max_memory_allocated()
    return {
        "recipe": name,
        "shape": list(shape),
        "weights": sum(parameter.numel() for parameter in denoiser.parameters()),
        "batch": batch,
        "precision": precision,
        "images_per_second": round(statistics.median(speeds[1:]), 1),
        "gigabytes": round(memory / 1e9, 2),
        "sampled_per_second": round(sampling(ema, shape), 1),
    }


@torch.no_grad()
def sampling(denoiser: sd.BaseDenoiser, shape: tuple[int, int, int]) -> float:
    """Images a second by so many calls each."""
    sampler = sd.MultistepSampler(denoiser.process, denoiser, steps=CALLS)
    x1 = torch.randn(DRAWN, *shape, device="cuda")
    sampler(x1)
    torch.cuda.synchronize()
    clock = time.perf_counter()
    sampler(x1).cpu()
    return DRAWN / (time.perf_counter() - clock)


def markdown(machine: dict[str, str], rows: list[dict[str, Any]]) -> str:
    table = [
        "| recipe | images | weights | a step | precision | trained a second | memory | "
        f"drawn a second, {CALLS} calls |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        cells = (
            r["recipe"],
            " x ".join(map(str, r["shape"])),
            f"{r['weights'] / 1e6:.1f} M",
            f"{r['batch']}",
            {"no": "float32"}.get(r["precision"], r["precision"]),
            f"{r['images_per_second']:,.0f}",
            f"{r['gigabytes']:.1f} GB",
            f"{r['sampled_per_second']:,.0f}",
        )
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(
        [
            "# On a GPU",
            "",
            "Written by `python benchmarks/gpu.py`. Trainings as `softdiffusion train` runs them, "
            f"on random images; the median of {READINGS - 1} readings of {STEPS} steps. Memory is "
            "the largest that tensors took. Samples are drawn in float32 by `MultistepSampler`, "
            f"{DRAWN} at a time. In float32, convolutions round to 10 bits (TF32), as PyTorch lets "
            "them.",
            "",
            *table,
            "",
            *(f"* {name}: {value}" for name, value in machine.items()),
            "",
        ]
    )


if __name__ == "__main__":
    main()
