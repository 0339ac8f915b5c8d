"""Choose corruption levels by measuring distances, and plot them."""

import dataclasses
from pathlib import Path

import yaml
from jsonargparse import Namespace

from ..configuration import to_config
from ..files import write_json, write_text
from ..plots import plot_schedule
from ..schedules import Schedule, Selection
from .parser import Parser
from .recipe import Recipe, add_recipe

__all__ = ["parser", "run", "write_schedule"]


def parser() -> Parser:
    """The arguments of `softdiffusion schedule`."""
    parser = Parser()
    add_recipe(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="The folder for schedule.yaml and schedule.png."
    )
    parser.add_argument("--dry_run", type=bool, default=False, help="Say what would be done.")
    return parser


def run(arguments: Namespace) -> None:
    """Writes `schedule.yaml`, which `--schedule` reads, `selection.json` and `schedule.png`."""
    recipe = Recipe(parser(), arguments)
    selection = recipe.selection(recipe.data())
    schedule = recipe.process(selection).schedule
    if arguments.dry_run:
        print(f"{_described(selection)}; to {arguments.out}")
        return
    write_schedule(selection, schedule, arguments.out)
    print(f"wrote {arguments.out / 'schedule.yaml'} and schedule.png")


def write_schedule(selection: Selection | None, schedule: Schedule, out: Path) -> None:
    """Writes a schedule, with the measurement behind it if there is one."""
    write_text(out / "schedule.yaml", yaml.safe_dump(to_config(schedule)[0], sort_keys=False))
    if selection is not None:
        write_json(out / "selection.json", dataclasses.asdict(selection))
    print(_described(selection))
    plot_schedule(selection or schedule, out / "schedule.png")


def _described(selection: Selection | None) -> str:
    if selection is None:
        return "the schedule of the recipe, without a selection"
    return (
        f"{len(selection.severities)} levels among {len(selection.candidates)} candidates by "
        f"the {selection.method} distance; largest hop {selection.epsilon:.4g}"
    )
