"""The levels at which one trained network is sampled, and how long a hop may be.

    python studies/schedule/times.py MODEL [--samples 1000]

MODEL is the `final` folder of the arm "geometric" of this study. Its path of blur and noise stays;
sampled are N levels of it, spaced geometrically, by measured distances, linearly or as a cosine,
with 10 and 30 calls, and by distances also with other N. The most even path of N levels has the
largest hop epsilon, so that sweep is one of the cap. Beside the Fréchet distance stands what
the data's spectrum predicts: the distance at which Gaussian data of that spectrum would be sampled
with the exact denoiser, in closed form. It writes times.jsonl, times.md and times.png; rows that
exist are kept.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.data import open as open_data
from softdiffusion.metrics import FrechetDistance, default_extractor, jackknife
from softdiffusion.schedules import Cosine, Geometric, Linear, Wasserstein
from softdiffusion.schedules.distances import Estimator, distance_matrix
from softdiffusion.studies import Rows

HERE = Path(__file__).parent
START, END, SIGMA = 0.2, 16.0, (0.02, 0.2)
SAMPLERS = {"multistep": sd.MultistepSampler, "momentum": sd.MomentumSampler}
CURVES = {"geometric": Geometric, "linear": Linear, "cosine": Cosine}
SWEEP = (4, 6, 8, 10, 14, 20, 30, 50, 80)


def levels(rule: str, count: int, data: Tensor) -> list[float]:
    """So many severities, from the least to the largest."""
    if rule == "distance":
        # Candidates as fine at the clean end, where the first hops are short.
        candidates = Geometric(START, END)(torch.linspace(0, 1, 512, dtype=torch.float64))
        chooser = Wasserstein(END, SIGMA, count, min_severity=START, candidates=candidates.tolist())
        return chooser.select(sd.GaussianBlur(), data).severities
    return CURVES[rule](START, END)(torch.linspace(0, 1, count, dtype=torch.float64)).tolist()


def times(severities: list[float]) -> list[float]:
    """When the model's own, geometric, schedule reaches the severities, descending."""
    ratios = torch.tensor(severities, dtype=torch.float64) / START
    inside = (ratios.log() / torch.tensor(END / START, dtype=torch.float64).log()).clamp(0, 1)
    return inside.flip(0).tolist()


def widest_hop(severities: list[float], data: Tensor) -> float:
    """The largest Wasserstein distance of neighbours."""
    at = torch.tensor(severities, dtype=torch.float64)
    _, distances = distance_matrix(sd.GaussianBlur(), data, at, Estimator("closed"), False)
    return float(distances.diagonal(1).max())


def predicted(sampler: sd.Sampler, variance: Tensor) -> float:
    """The Wasserstein-2 distance to the data, relative to their size, on Gaussian data."""
    process, dct = sampler.process, sd.operators.DCT()
    v = process.spectrum(1.0, variance[None])[0] ** 2 * variance + process.sigma(1.0) ** 2
    if isinstance(sampler, sd.MultistepSampler):
        v = dct.forward(sampler(dct.inverse(v.sqrt()[None])))[0] ** 2
    else:
        ones = dct.inverse(torch.ones_like(variance)[None])
        for t, s in pairwise(sampler.grid):
            x = torch.cat([ones, 0 * ones])
            x0_hat, noise = sampler.predict(x, t), x.flip(0)
            hop = process.transition(t, s)
            gains = dct.forward(sampler.step(x, x0_hat, hop, lambda eta=noise: eta))
            v = gains[0] ** 2 * v + gains[1] ** 2
        v = dct.forward(sampler.predict(ones, sampler.grid[-1]))[0] ** 2 * v
    return float(((v.sqrt() - variance.sqrt()).square().sum() / variance.sum()).sqrt())


def measured(model: Path, count: int, done: set[tuple[str, str, int]]) -> Iterator[dict]:
    train = open_data("fashion-mnist", split="train", size=16)
    data = train.tensor()
    variance = sd.operators.DCT().forward(data.double()).var(dim=0)
    denoiser, prior = sd.load(model)
    if prior is None:
        raise SystemExit(f"{model} was saved without a start.")
    oracle = sd.GaussianDenoiser(denoiser.process, torch.zeros_like(variance), variance)
    extractor = default_extractor(train.name, train.shape)
    distance = FrechetDistance(extractor.extract(data))
    wanted = [(rule, n) for rule in (*CURVES, "distance") for n in (10, 30)]
    wanted += [("distance", n) for n in SWEEP if n not in (10, 30)]
    for rule, n in wanted:
        if all((rule, name, n) in done for name in SAMPLERS):
            continue
        severities = levels(rule, n, data)
        epsilon = widest_hop(severities, data)
        for name, kind in SAMPLERS.items():
            if (rule, name, n) in done:
                continue
            noise = sd.generators(0, range(count))
            sampler = kind(denoiser.process, denoiser, times=times(severities))
            exact = kind(denoiser.process, oracle, times=sampler.grid)
            images = sampler(prior.sample(count, noise), noise, batch_size=250).clamp(-1, 1)
            features = extractor.extract(images)
            yield {
                "rule": rule,
                "sampler": name,
                "calls": n,
                "epsilon": epsilon,
                "n": count,
                "frechet": float(distance(features)),
                "error": float(jackknife(distance, features)),
                "predicted": predicted(exact, variance),
                "extractor": extractor.hash,
            }


def table(rows: list[dict]) -> str:
    lines = [
        f"Fréchet distance of {rows[0]['n']:,} samples of one network, trained on geometric levels "
        f"(extractor {rows[0]['extractor']}). ± is the error of sampling. epsilon: the largest "
        "Wasserstein-2 distance of neighbouring levels. Predicted: the relative Wasserstein-2 "
        "distance to Gaussian data of the same spectrum, with the exact denoiser.\n",
        "| levels | N | epsilon | multistep | predicted | momentum | predicted |",
        "|---|---|---|---|---|---|---|",
    ]
    found = {(row["rule"], row["calls"], row["sampler"]): row for row in rows}
    for rule, calls in sorted({key[:2] for key in found}, key=lambda key: (key[0], key[1])):
        pair = [found.get((rule, calls, name)) for name in SAMPLERS]
        cells = [
            f"{row['frechet']:.2f} ± {row['error']:.2f} | {row['predicted']:.3f}" if row else " | "
            for row in pair
        ]
        epsilon = next(row for row in pair if row)["epsilon"]
        lines.append(f"| {rule} | {calls} | {epsilon:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, colour in zip(SAMPLERS, ("tab:blue", "tab:orange"), strict=True):
        swept = sorted(
            (row["epsilon"], row["frechet"], row["error"], row["predicted"])
            for row in rows
            if row["sampler"] == name and row["rule"] == "distance"
        )
        epsilon, frechet, error, prediction = zip(*swept, strict=True)
        left.errorbar(epsilon, frechet, error, marker="o", label=name, color=colour, capsize=2)
        right.plot(epsilon, prediction, marker="o", label=name, color=colour)
    left.set(xlabel="cap epsilon", ylabel="Fréchet distance", title="the network")
    right.set(xlabel="cap epsilon", ylabel="relative Wasserstein-2", title="the data's spectrum")
    marks = {left: (5, 10, 20, 50), right: (0.03, 0.1, 0.3)}
    for ax, values in marks.items():
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([0.2, 0.5, 1, 2, 4], ["0.2", "0.5", "1", "2", "4"])
        ax.set_yticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
        ax.legend()
    figure.savefig(path, dpi=140)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    kept = Rows(HERE / "times.jsonl")
    done = {(row["rule"], row["sampler"], row["calls"]) for row in kept}
    for row in measured(options.model, options.samples, done):
        kept.append(row)
    rows = list(kept)
    (HERE / "times.md").write_text(table(rows))
    draw(rows, HERE / "times.png")
