"""Fréchet distance of both models by sampler and calls, one row after the other.

    python studies/fashion-mnist/measure.py NAME MODEL

MODEL is a run's folder or a model's; rows go to rows.jsonl beside this file, grids to NAME-*.png.
"""

import json
import sys
import time
from pathlib import Path

import torch

import softdiffusion as sd

COUNT = 500
HERE = Path(__file__).parent


@torch.no_grad()
def measure(name: str, folder: Path) -> None:
    denoiser, prior = sd.load(folder / "final" if (folder / "final").is_dir() else folder)
    features = sd.metrics.extractor("fashion-mnist-28")
    distance = sd.metrics.FrechetDistance(features.extract(sd.data.load("fashion-mnist")))
    order = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))
    real = sd.data.load("fashion-mnist", split="test")[order[:COUNT]]
    floor = float(distance(features.extract(real)))
    for steps in (30, 10):
        for kind in (sd.MultistepSampler, sd.MomentumSampler, sd.NaiveSampler):
            sampler = kind(denoiser.process, denoiser, steps=steps)
            noise = sd.generators(0, range(COUNT))
            start = time.perf_counter()
            x1 = prior.sample(COUNT, generator=noise)
            images = sampler(x1, generator=noise, batch_size=100).clamp(-1, 1)
            found = features.extract(images)
            error = float(sd.metrics.jackknife(distance, found))
            row = {
                "model": name,
                "sampler": kind.__name__,
                "calls": sampler.nfe,
                "n": COUNT,
                "frechet": round(float(distance(found)), 3),
                "error": round(error, 3),
                "floor": round(floor, 3),
                "extractor": features.hash[:12],
                "seconds": round(time.perf_counter() - start, 1),
            }
            with (HERE / "rows.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            sd.plots.save_grid(images[:64], HERE / f"{name}-{kind.__name__}-{steps}.png")
            print(row, flush=True)


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
