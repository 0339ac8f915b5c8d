"""The whole way in a few minutes: corrupt, choose levels, train, sample, evaluate.

Run `make demo`, or `python examples/demo.py --out demo`; then open `demo/index.html`.
"""

import argparse
import html
import json
import os
import shutil
import time
from pathlib import Path

from softdiffusion.cli.main import main
from softdiffusion.plots import plot_losses

RECIPE = Path(__file__).parent.parent / "recipes" / "digits.yaml"
SAMPLERS = ("NaiveSampler", "MomentumSampler", "MultistepSampler")
#: The folders that a demo makes. An earlier one's are deleted, so that it starts from nothing.
PARTS = ("schedule", "model", "samples", "report")


def run(command: str) -> str:
    """Runs one command as if it were typed, and returns it."""
    print(f"\n$ softdiffusion {command}", flush=True)
    main(command.split())
    return f"softdiffusion {command}"


def section(title: str, text: str, command: str, *pictures: str) -> str:
    """One section of the page."""
    images = "".join(f'<img src="{picture}" alt="{html.escape(title)}">' for picture in pictures)
    row = f"<div>{images}</div>"
    return f"<h2>{title}</h2><p>{text}</p><pre>{html.escape(command)}</pre>{row}"


def table(markdown: str) -> str:
    """The first table of a Markdown text in HTML."""
    lines = [line.strip("| ") for line in markdown.splitlines() if line.startswith("|")]
    head, _, *body = (line.split(" | ") for line in lines)
    rows = [head, *body]
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def demo(out: Path, images: int | None) -> None:
    """Runs everything and writes `index.html`."""
    start = time.perf_counter()
    for part in PARTS:
        shutil.rmtree(out / part, ignore_errors=True)
    recipe = f"--config {os.path.relpath(RECIPE)}"
    length = "" if images is None else f" --images {images} --decay {images // 4}"
    samplers = ",".join(SAMPLERS)

    corrupt = run(f"corrupt {recipe} --out {out}")
    schedule = run(f"schedule {recipe} --levels 32 --out {out}/schedule")
    train = run(f"train {recipe} --out {out}/model{length}")
    rows = [
        json.loads(line) for line in (out / "model" / "stats.jsonl").read_text("utf-8").splitlines()
    ]
    plot_losses(rows, out / "losses.png")
    sample = run(f"sample --model {out}/model --out {out}/samples --animation true")
    evaluate = run(
        f"evaluate --model {out}/model --out {out}/report --count 300 "
        f"--samplers [{samplers}] --steps [5,10,30]"
    )
    grids = [f"report/{name}-30.png" for name in SAMPLERS]
    summary = (out / "report" / "report.md").read_text("utf-8").split("## ")[0]
    minutes = (time.perf_counter() - start) / 60
    page = [
        "<!doctype html><meta charset=utf-8><title>softdiffusion: digits</title>",
        "<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "div{display:flex;gap:.5rem}img{min-width:0;max-width:100%;object-fit:contain}"
        "pre{background:#f4f4f4;padding:.6rem;white-space:pre-wrap}"
        "table{border-collapse:collapse}td{padding:.1rem .8rem;border-bottom:1px solid #ddd}"
        "tr:first-child{font-weight:bold}</style>",
        f"<h1>Soft diffusion on handwritten digits</h1><p>Made in {minutes:.1f} minutes.</p>",
        section(
            "1. The forward process",
            "Blur and noise grow from left to right.",
            corrupt,
            "corruption.png",
        ),
        section(
            "2. Levels chosen by measuring",
            "Of 256 blur levels, the path of 32 whose largest Wasserstein hop is smallest.",
            schedule,
            "schedule/schedule.png",
        ),
        section("3. Training", "The loss, overall and by level of t.", train, "losses.png"),
        section(
            "4. Sampling",
            "Multistep sampler, 30 network calls; on the right the way there.",
            sample,
            "samples/grid.png",
            "samples/trajectory.gif",
        ),
        section(
            "5. Evaluation",
            "Naive, momentum and multistep at 30 calls; below, distance against network calls.",
            evaluate,
            *grids,
        ),
        table(summary),
        '<p><img src="report/distance.png" alt="distance against network calls"></p>',
    ]
    (out / "index.html").write_text("\n".join(page), "utf-8")
    print(f"\nopen {out / 'index.html'} (made in {minutes:.1f} minutes)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"))
    parser.add_argument("--images", type=int, help="Train on fewer images than the recipe says.")
    options = parser.parse_args()
    demo(options.out, options.images)
