"""Run a study, a grid of trainings that differ in one thing, or report what it gave."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import Namespace

from ..studies import Arm, Study, measure, run_study, submit_study, write_report
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
    parser.add_argument(
        "--executor",
        type=Literal["here", "slurm", "local"],
        default="here",
        help="run: where the arms run: in this command, as jobs of Slurm, or, to try that out, as "
        "such jobs on this machine.",
    )
    parser.add_argument(
        "--settings",
        type=dict[str, Any],
        default={},
        help="run: what is asked of Slurm, by the names of submitit, as "
        "'{timeout_min: 600, slurm_partition: gpu, gpus_per_node: 1}'.",
    )
    return parser


def run(arguments: Namespace) -> None:
    """Does one of the three."""
    _check(arguments)
    path, scale = arguments.study, arguments.scale
    study = Study.read(path, scale)
    runs = arguments.runs or Path("runs") / (path.parent.name + (f"-{scale}" if scale else ""))
    if arguments.action == "report":
        print(f"wrote {write_report(study)}")
    elif arguments.action == "measure":
        for arm, seed in study.trainings(arguments.arms, arguments.seeds):
            measure(study, arm, seed, runs)
    elif arguments.executor == "here":
        run_study(
            study,
            runs,
            partial(_of_one, arguments, runs, "measure"),
            jobs=arguments.jobs,
            threads=arguments.threads,
            only=arguments.arms,
            seeds=arguments.seeds,
        )
    else:
        submit_study(
            study,
            runs.resolve(),
            partial(_of_one, arguments, runs, "run"),
            cluster=arguments.executor,
            settings=arguments.settings,
            only=arguments.arms,
            seeds=arguments.seeds,
        )


def _check(arguments: Namespace) -> None:
    """Raises where something is asked for that would do nothing."""
    if arguments.executor != "here" and arguments.action != "run":
        raise ValueError(f"--executor belongs to run, not to {arguments.action}; leave it out.")
    if arguments.executor != "here" and arguments.jobs != 1:
        raise ValueError(
            f"--jobs {arguments.jobs} belongs to --executor here; on a cluster every arm is a job "
            "of its own."
        )
    if arguments.executor == "here" and arguments.settings:
        raise ValueError("--settings belongs to --executor slurm; leave it out.")


def _of_one(arguments: Namespace, runs: Path, action: str, arm: Arm, seed: int) -> list[str]:
    """The command that does something for one arm with a seed."""
    # As YAML that is ASCII whatever the names: not every locale can pass on all letters.
    names = yaml.safe_dump([arm.name], default_flow_style=True, width=1000).strip()
    options = ["--runs", str(runs), "--arms", names, "--seeds", f"[{seed}]"]
    if action == "run":
        options += ["--threads", str(arguments.threads)]
    if arguments.scale:
        options += ["--scale", arguments.scale]
    return ["study", action, str(arguments.study.resolve()), *options]
