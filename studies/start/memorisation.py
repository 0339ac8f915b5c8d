"""Do samples repeat training images, and does a start from them make it so?

    python studies/start/memorisation.py MODEL... [--samples 1000]

For every model's `final` folder (named by the folder two levels above it) and start: the distance
of every sample of multistep with 30 calls to its nearest training image, in the features of the
classifier and in pixels, against that of test images; and, from training images, how many samples
come out nearest to the very image that they started from. It writes memorisation.json, where other
models keep their rows, memorisation.md and a picture of the nearest pairs of every model and start.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.metrics import default_extractor, memorisation
from softdiffusion.plots import save_grid
from softdiffusion.priors.prior import choose

HERE = Path(__file__).parent
PAIRS = 10


def starts(
    denoiser: sd.BaseDenoiser, saved: sd.Prior | None, train: Tensor
) -> Iterator[tuple[str, sd.Prior]]:
    process = denoiser.process
    if saved is not None:
        yield "as saved", saved
    if process.schedule.severity(torch.tensor(1.0)) > 1:  # else nothing is left of an image
        yield "training images", sd.DataPrior(process, train)


@torch.no_grad()
def measure(model: Path, count: int, train: Tensor, test: Tensor) -> Iterator[dict]:
    name = model.resolve().parents[1].name
    denoiser, saved = sd.load(model)
    extractor = default_extractor("fashion-mnist", train.shape[1:])
    sampler = sd.MultistepSampler(denoiser.process, denoiser, steps=30)
    origins = choose(torch.ones(len(train)), count, sd.generators(0, range(count)))
    for start, prior in starts(denoiser, saved, train):
        noise = sd.generators(0, range(count))
        images = sampler(prior.sample(count, noise), noise, batch_size=250).clamp(-1, 1)
        row = {"model": name, "start": start, "n": count}
        for space, features in (("features", extractor), ("pixels", None)):
            found = memorisation(images, train, test, features)
            row |= {f"{space}_ratio": found.ratio, f"{space}_share": found.share}
            if start == "training images":
                row[f"{space}_returned"] = int((found.indices == origins).sum())
        samples, copies = found.closest(PAIRS)
        pairs = torch.cat([images[samples], train[copies]])
        save_grid(pairs, HERE / f"nearest-{name}-{start.replace(' ', '-')}.png", columns=PAIRS)
        yield row


def table(rows: list[dict]) -> str:
    lines = [
        f"{rows[0]['n']:,} samples by multistep with 30 calls. Ratio: the median distance to the "
        "nearest training image over that of test images; about 1 without copies. Share: samples "
        "nearer than 99 % of the test images are; about 0.01 without copies. Returned: samples "
        "whose nearest training image is the one they started from.\n",
        "| model | start | features: ratio | share | returned | pixels: ratio | share | returned |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            f"{row[f'{space}_ratio']:.2f} | {row[f'{space}_share']:.3f} | "
            f"{row.get(f'{space}_returned', '')}"
            for space in ("features", "pixels")
        )
        lines.append(f"| {row['model']} | {row['start']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    train, test = (
        sd.data.load("fashion-mnist", split=split, size=16) for split in ("train", "test")
    )
    new = [row for model in options.models for row in measure(model, options.samples, train, test)]
    path = HERE / "memorisation.json"
    earlier = json.loads(path.read_text()) if path.exists() else []
    measured = {row["model"] for row in new}
    rows = [row for row in earlier if row["model"] not in measured] + new
    path.write_text(json.dumps(rows, indent=1) + "\n")
    (HERE / "memorisation.md").write_text(table(rows))
