"""Where along t and along frequency each loss leaves its error.

    python studies/objective/error.py [--runs runs/objective]

For every trained arm: the mean square of each DCT coefficient of x0_hat - x0 over its variance in
the data, 1 where the network knows nothing, by radial frequency and t, on test images. It writes
error.json and error.png beside this file.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.studies import Study

HERE = Path(__file__).parent
IMAGES = 500
TIMES = torch.linspace(0, 1, 21)
BANDS = 12


@torch.no_grad()
def relative_error(denoiser: sd.BaseDenoiser, x0: Tensor) -> Tensor:
    """The error by time and band of frequency, (times, BANDS)."""
    dct = sd.operators.DCT()
    variance = dct.forward(x0 - x0.mean(dim=0)).square().mean(dim=(0, 1))
    band = bands(variance)
    rows = []
    for t in TIMES:
        noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
        error = denoiser(denoiser.process.perturb(x0, t, noise), t) - x0
        power = dct.forward(error).square().mean(dim=(0, 1))
        total = torch.zeros(2, BANDS).index_add(
            1, band.flatten(), torch.stack([power, variance]).flatten(1)
        )
        rows.append(total[0] / total[1])
    return torch.stack(rows)


def bands(like: Tensor) -> Tensor:
    """The band of every frequency (H, W): its distance from zero in steps of H / BANDS."""
    height, width = like.shape
    radius = torch.hypot(torch.arange(height)[:, None].float(), torch.arange(width).float())
    return (radius * BANDS / height).long().clamp(max=BANDS - 1)


def draw(errors: dict[str, list[list[float]]], path: Path) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    columns = min(5, len(errors))
    rows = -(-len(errors) // columns)
    figure = Figure(figsize=(2.6 * columns + 0.8, 2.5 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax in axes.flat[len(errors) :]:
        ax.set_visible(False)
    for ax, (arm, error) in zip(axes.flat, errors.items(), strict=False):
        image = ax.imshow(
            torch.tensor(error).T,
            origin="lower",
            aspect="auto",
            extent=(0, 1, 0, 1),
            norm=LogNorm(1e-2, 1e1),
            cmap="viridis",
        )
        ax.set(title=arm, xlabel="t")
    for ax in axes[:, 0]:
        ax.set_ylabel("frequency / Nyquist")
    figure.colorbar(image, ax=axes, label="error / variance of the data")
    figure.savefig(path, dpi=140)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/objective"))
    options = parser.parse_args()
    study = Study.read(HERE / "study.yaml")
    x0 = sd.data.load("fashion-mnist", split="test", size=16)[:IMAGES]
    errors = {}
    for name, arm in study.arms.items():
        final = study.run_folder(options.runs, arm, arm.seeds[0]) / "final"
        if final.is_dir():
            errors[name] = relative_error(sd.load(final)[0], x0).tolist()
    content = {"times": TIMES.tolist(), "bands": BANDS, "images": IMAGES, "errors": errors}
    (HERE / "error.json").write_text(json.dumps(content) + "\n")
    draw(errors, HERE / "error.png")
