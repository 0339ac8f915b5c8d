"""What the start is worth: the same models and noise from three starts, multistep, 30 calls.

    python studies/fashion-mnist/start.py

Rows go to start.jsonl.
"""

from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.studies import Rows

COUNT = 500
FITTED = 10_000
HERE = Path(__file__).parent


@torch.no_grad()
def measure() -> None:
    train = sd.data.load("fashion-mnist")
    images = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:FITTED]]
    features = sd.metrics.extractor("fashion-mnist-28")
    distance = sd.metrics.FrechetDistance(features.extract(train))
    test = sd.data.load("fashion-mnist", split="test")
    real = test[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:COUNT]]
    record("test images", "", distance, features.extract(real))
    for model in ("recommended", "paper"):
        denoiser, _ = sd.load(HERE / model)
        process = denoiser.process
        sampler = sd.MultistepSampler(process, denoiser, steps=30)
        for name, prior in {
            "Gaussian": sd.GaussianPrior.fit(process, images),
            "mixture of 10": sd.MixturePrior.fit(process, images, components=10),
            "training images": sd.DataPrior(process, train),
        }.items():
            noise = sd.generators(0, range(COUNT))
            drawn = sampler(prior.sample(COUNT, noise), noise, batch_size=250).clamp(-1, 1)
            record(model, name, distance, features.extract(drawn))


def record(model: str, start: str, distance: sd.metrics.FrechetDistance, found: Tensor) -> None:
    row = {
        "model": model,
        "start": start,
        "frechet": round(float(distance(found)), 2),
        "error": round(float(sd.metrics.jackknife(distance, found)), 2),
    }
    Rows(HERE / "start.jsonl").append(row)
    print(row, flush=True)


if __name__ == "__main__":
    measure()
