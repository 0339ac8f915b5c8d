"""Run a study, a grid of trainings that differ in one thing, or report what it gave."""

from pathlib import Path
from typing import Literal

import yaml
from jsonargparse import Namespace

from ..studies import Arm, Study, measure, run_study, write_report
from .parser import Parser

__all__ = ["parser", "run"]


def parser() -> Parser:
    """The arguments of `softdiffusion study`."""
    parser = Parser()
    parser.add_argument(
        "action",
        type=Literal["run", "report", "measure"],
        help="run trains and measures all arms, and goes on after a stop; report writes "
        "report.md, report.html and figures; measure measures arms that are trained already.",
    )
    parser.add_argument("study", type=Path, help="The study's YAML file.")
    parser.add_argument(
        "--scale", type=str | None, default=None, help="One of the file's scales, such as small."
    )
    parser.add_argument("--runs", type=Path | None, default=None, help="Default: runs/STUDY.")
    parser.add_argument("--jobs", type=int, default=1, help="run: arms side by side.")
    parser.add_argument("--threads", type=int, default=1, help="run: cores of each of them.")
    parser.add_argument(
        "--arms", type=list[str], default=[], help="run, measure: only these, as '[l2, soft]'."
    )
    parser.add_argument(
        "--seeds", type=list[int], default=[], help="run, measure: only these, as '[0, 1]'."
    )
    return parser


def run(arguments: Namespace) -> None:
    """Does one of the three."""
    path, scale = arguments.study, arguments.scale
    study = Study.read(path, scale)
    runs = arguments.runs or Path("runs") / (path.parent.name + (f"-{scale}" if scale else ""))
    if arguments.action == "report":
        print(f"wrote {write_report(study)}")
    elif arguments.action == "measure":
        for arm, seed in study.trainings(arguments.arms, arguments.seeds):
            measure(study, arm, seed, runs)
    else:

        def command(arm: Arm, seed: int) -> list[str]:
            options = ["--runs", str(runs), *(["--scale", scale] if scale else [])]
            # As YAML that is ASCII whatever the names: not every locale can pass on all letters.
            names = yaml.safe_dump([arm.name], default_flow_style=True, width=1000).strip()
            model = ["--arms", names, "--seeds", f"[{seed}]"]
            return ["study", "measure", str(path), *options, *model]

        run_study(
            study,
            runs,
            command,
            jobs=arguments.jobs,
            threads=arguments.threads,
            only=arguments.arms,
            seeds=arguments.seeds,
        )
