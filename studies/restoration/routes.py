"""Two routes back from the model's own corruption: from its level, or as by any operator.

    python studies/restoration/routes.py [--model FOLDER] [--data NAME] [--count 64]

An image of known severity with less noise than its level has two ways back: topped up to the
noise of the level (`level`), or from x_1 with a denoiser that knows the image (`operator`). Both
restore the same test images, at several severities and shares of the level's noise. *Predicted* is
what topping up costs by the data's spectrum (`softdiffusion.restoration.topping_up_cost`), *gained*
what the operator route gains, with the standard error over images. Rows of a model replace its
older ones in routes.jsonl.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.restoration import linear_model, start_time, topping_up_cost

HERE = Path(__file__).parent
SEVERITIES = (0.3, 0.6, 1.5, 4.0)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
SHORT = {"level": partial(sd.AncestralSampler, steps=50), "operator": None}


def measure(model: Path, data: str, count: int) -> list[dict[str, object]]:
    denoiser, _ = sd.load(model)
    process = denoiser.process
    train = sd.data.load(data)[:10_000]
    test = sd.data.load(data, split="test")
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    x0 = test[order[:count]]
    features = sd.metrics.extractors.default_extractor(data, tuple(x0.shape[1:]))
    linear = linear_model(process, train)
    (source,) = sd.generators(0, [0])
    noise = torch.randn(x0.shape, generator=source)

    def restored(y: Tensor, severity: float, sigma_y: float, route: str) -> Tensor:
        return (
            sd.restore(
                denoiser,
                y,
                severity=severity,
                sigma_y=sigma_y,
                data=train,
                route=route,
                sampler=SHORT[route],
                generator=sd.generators(1, range(len(y))),
            )
            .samples[0]
            .clamp(-1, 1)
        )

    rows = []
    for severity in SEVERITIES:
        sigma_t = float(process.sigma(start_time(process, severity)))
        # Topped up, all shares have one law, so the level is restored once.
        full = process.corruption.at(severity)(x0) + sigma_t * noise
        level = restored(full, severity, sigma_t, "level")
        for share in SHARES:
            sigma_y = max(share * sigma_t, 2 / 255 / 12**0.5)  # the rounding of 8 bits
            y = process.corruption.at(severity)(x0) + sigma_y * noise
            operator = restored(y, severity, sigma_y, "operator")
            psnr = {
                name: sd.metrics.psnr(images, x0)
                for name, images in (
                    ("degraded", y.clamp(-1, 1)),
                    ("level", level),
                    ("operator", operator),
                )
            }
            gain = psnr["operator"] - psnr["level"]
            distance = {
                name: sd.metrics.feature_distance(images, x0, features)
                for name, images in (("level", level), ("operator", operator))
            }
            closer = distance["level"] - distance["operator"]
            cost = topping_up_cost(linear, severity, sigma_y, sigma_t)
            rows.append(
                {
                    "model": model.name,
                    "data": data.partition(":")[0],
                    "n": count,
                    "severity": severity,
                    "sigma_t": round(sigma_t, 4),
                    "sigma_y": round(sigma_y, 4),
                    **{name: round(float(value.mean()), 2) for name, value in psnr.items()},
                    "predicted": round(float(cost), 2),
                    "gained": round(float(gain.mean()), 2),
                    "gained_error": round(float(gain.std() / count**0.5), 2),
                    "features": round(float(closer.mean()), 3),
                    "features_error": round(float(closer.std() / count**0.5), 3),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HERE.parent / "fashion-mnist" / "recommended")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--count", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(arguments.model, arguments.data, arguments.count)
    path = HERE / "routes.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if json.loads(line)["model"] != arguments.model.name]
    kept += [json.dumps(row) for row in rows]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
