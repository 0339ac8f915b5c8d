"""Studies: grids of arms that differ in one thing, trained and measured alike."""

from .measure import measure
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
    "measure",
    "run_study",
    "summarise",
    "write_report",
]
