"""Why momentum is not ahead of naive with the paper's loss: the power of samples by frequency.

    python studies/fashion-mnist/spectrum.py NAME MODEL

For every sampler at 30 and 100 calls: Fréchet distance of 300 samples, and their variance over
that of 10,000 training images in seven bands of DCT frequency. Rows go to spectrum.jsonl.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd

COUNT = 300
BANDS = (0, 2, 4, 7, 10, 14, 20, 40)  # radial frequency, in half periods over the image
SAMPLERS = ("Naive", "Momentum", "Bridge", "Deterministic", "Multistep")
HERE = Path(__file__).parent


def power(images: Tensor) -> Tensor:
    """The variance of the coefficients in every band."""
    z = sd.operators.DCT().forward(images - images.mean(dim=0)).square().mean(dim=(0, 1))
    k = torch.arange(z.shape[-1]).float()
    radius = torch.hypot(k[:, None], k)
    bands = [(radius >= low) & (radius < high) for low, high in pairwise(BANDS)]
    return torch.stack([z[band].mean() for band in bands])


@torch.no_grad()
def measure(name: str, folder: Path) -> None:
    denoiser, prior = sd.load(folder / "final" if (folder / "final").is_dir() else folder)
    train = sd.data.load("fashion-mnist")
    features = sd.metrics.extractor("fashion-mnist-28")
    distance = sd.metrics.FrechetDistance(features.extract(train))
    real = power(train[:10_000])
    for calls in (30, 100):
        for kind in SAMPLERS:
            sampler = getattr(sd, f"{kind}Sampler")(denoiser.process, denoiser, steps=calls)
            noise = sd.generators(0, range(COUNT))
            images = sampler(prior.sample(COUNT, noise), noise, batch_size=100).clamp(-1, 1)
            found = features.extract(images)
            row = {
                "model": name,
                "sampler": kind,
                "steps": calls,
                "frechet": round(float(distance(found)), 2),
                "err": round(float(sd.metrics.jackknife(distance, found)), 2),
                "ratio": [round(r, 3) for r in (power(images) / real).tolist()],
            }
            with (HERE / "spectrum.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
