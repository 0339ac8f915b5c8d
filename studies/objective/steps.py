"""What the errors of error.json cost in a sampler's steps, beside the distances of rows.jsonl.

    python studies/objective/steps.py

The deterministic step from t to s = t - 1/10 turns an error e of the prediction into
(C_s - rho C_t) e. For every arm: the root of the mean squares of ten such steps, added up as if
they were independent and no step changed the errors of those before, over the standard deviation
of the data; then how well it ranks the arms. It writes steps.md beside this file.
"""

import json
from pathlib import Path

import torch
from error import bands
from scipy.stats import spearmanr
from torch import Tensor

import softdiffusion as sd
from softdiffusion.configuration import from_config
from softdiffusion.studies import Rows, Study, summarise

HERE = Path(__file__).parent
STEPS = 10
COLUMNS = [("multistep", 10), ("multistep", 30), ("momentum", 10), ("momentum", 30)]


def step_error(
    process: sd.SoftDiffusion, error: Tensor, times: list[float], variance: Tensor
) -> float:
    """Of the error over the variance by time and band, (times, bands)."""
    band = bands(variance)
    total = 0.0
    for k in range(STEPS, 0, -1):
        hop = process.transition(k / STEPS, (k - 1) / STEPS)
        z = variance[None, None]
        gain = ((hop.C_s - hop.rho * hop.C_t).diagonal(z).square() * z)[0, 0]
        row = min(range(len(times)), key=lambda i: abs(times[i] - k / STEPS))
        total += float((gain * error[row][band]).sum() / variance.sum())
    return total**0.5


def main() -> None:
    content = json.loads((HERE / "error.json").read_text())
    x0 = sd.data.load("fashion-mnist", split="test", size=16)[: content["images"]]
    centred = sd.operators.DCT().forward(x0 - x0.mean(dim=0))
    variance = centred.square().mean(dim=(0, 1))
    study = Study.read(HERE / "study.yaml")
    found = summarise(Rows(HERE / "rows.jsonl").of(study))
    recipe = study.arms["soft"].recipe  # whose process is that of all arms
    parts = (from_config(recipe[part], {}) for part in ("corruption", "schedule"))
    process = sd.SoftDiffusion(*parts)
    arms = {
        arm: step_error(process, torch.tensor(error), content["times"], variance)
        for arm, error in content["errors"].items()
    }
    lines = ["| loss | error of ten steps | " + " | ".join(f"{e} {n}" for e, n in COLUMNS) + " |"]
    lines.append("|---" * (2 + len(COLUMNS)) + "|")
    for arm, error in sorted(arms.items(), key=lambda item: item[1]):
        cells = [f"{found[column][arm].distance:.1f}" for column in COLUMNS]
        lines.append(f"| {arm} | {error:.4f} | " + " | ".join(cells) + " |")
    ranks = [
        float(spearmanr([*arms.values()], [found[c][arm].distance for arm in arms]).statistic)
        for c in COLUMNS
    ]
    lines.append("| rank correlation | | " + " | ".join(f"{rank:.2f}" for rank in ranks) + " |")
    (HERE / "steps.md").write_text("# The error of ten steps\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
