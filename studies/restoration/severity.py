"""How well the severity is read off an image, on images that nothing was fitted to.

    python studies/restoration/severity.py [fashion-mnist:FOLDER]

Prints a table and writes severity.jsonl beside this file.
"""

import json
import sys
from pathlib import Path

import torch

import softdiffusion as sd
from softdiffusion.restoration import SeverityEstimator

HERE = Path(__file__).parent
COUNT = 300


def row(
    data: str,
    largest: float,
    corruption: sd.Corruption,
    sigma_y: float,
    contrast: float,
    stated: bool,
):
    """Severities drawn from the levels; the contrast is relative to the mean image."""
    train = sd.data.load(data)[:10_000].double()
    test = sd.data.load(data, split="test")[:COUNT].double()
    schedule = sd.schedules.geometric((0.2, largest), (0.02, 0.2), sigma_saturation=0.25)
    linear = sd.GaussianDenoiser.fit(sd.SoftDiffusion(corruption, schedule), train)
    estimator = SeverityEstimator.fit(linear, train, sigma_y if stated else None)
    (source,) = sd.generators(5, [0])
    index = torch.randint(len(estimator.severities), (COUNT,), generator=source)
    severity = estimator.severities[index]
    noise = torch.randn(test.shape, generator=source, dtype=torch.float64)
    y = corruption.at(severity)(linear.mean + contrast * (test - linear.mean)) + sigma_y * noise
    estimate, level = estimator.with_noise(y)
    error = (estimate.mean / severity - 1).abs()
    return {
        "data": data.partition(":")[0],
        "corruption": type(corruption).__name__,
        "sigma_y": sigma_y,
        "contrast": contrast,
        "noise": "stated" if stated else "estimated",
        "n": COUNT,
        "coverage": round(_coverage(estimate, severity), 3),
        "coverage of the noise": None if stated else round(_coverage(level, sigma_y), 3),
        "coverage at temperature 1": round(
            _coverage(SeverityEstimator(linear, sigma_y if stated else None)(y), severity), 3
        ),
        "median error": round(float(error.median()), 3),
        "90 % of errors": round(float(error.quantile(0.9)), 3),
    }


def _coverage(estimate, severity) -> float:
    held = (estimate.low <= severity) & (severity <= estimate.high)
    return float(held.double().mean())


def main() -> None:
    torch.set_num_threads(1)
    fashion_mnist = sys.argv[1] if len(sys.argv) > 1 else "fashion-mnist"
    rows = [
        row(data, largest, corruption, sigma_y, contrast, stated)
        for data, largest in (("digits", 8.0), (fashion_mnist, 20.0))
        for corruption in (sd.GaussianBlur(), sd.FadingMask())
        for sigma_y in (0.02, 0.1)
        for contrast in (1.0, 0.5)
        for stated in (True, False)
    ]
    with (HERE / "severity.jsonl").open("w") as file:
        file.writelines(json.dumps(found) + "\n" for found in rows)
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for found in rows:
        print(
            "| "
            + " | ".join("" if value is None else str(value) for value in found.values())
            + " |"
        )


if __name__ == "__main__":
    main()
