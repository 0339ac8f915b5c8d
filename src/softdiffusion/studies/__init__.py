"""Studies: grids of arms that differ in one thing, trained and measured alike."""

from .cluster import submit_study
from .lifeline import end_with_parent
from .measure import measure
from .modules import importable
from .report import write_report
from .rows import Rows
from .run import run_study
from .study import Arm, Evaluation, Study
from .summary import Result, summarise
from .yardstick import Yardstick

__all__ = [
    "Arm",
    "Evaluation",
    "Result",
    "Rows",
    "Study",
    "Yardstick",
    "end_with_parent",
    "importable",
    "measure",
    "run_study",
    "submit_study",
    "summarise",
    "write_report",
]
