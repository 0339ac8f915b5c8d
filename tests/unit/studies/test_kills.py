"""A study's files after a kill at any of their operations, and the same call again."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from softdiffusion.studies import Rows, Study, write_report
from tests.command import contents
from tests.unit.studies.test_hostile_report import MADE, measured

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OPERATIONS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate")
_KILLED = 9


def ends_before(number: int, act: Callable[[], object]) -> bool:
    """Whether a process that does something is killed before its file operation of this number."""
    child = os.fork()
    if not child:
        left = number

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
            if writes or event in _OPERATIONS:
                left -= 1
                if left < 0:
                    os._exit(_KILLED)

        sys.addaudithook(watch)
        try:
            act()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, _KILLED)
    return code == _KILLED


def everything_is_the_same(folder: Path, start: Path, act: Callable[[], object]) -> int:
    """Kills at every operation, acts again, and compares; gives the number of operations."""
    shutil.copytree(start, folder)
    act()
    whole = contents(folder)
    number = 0
    while True:
        shutil.rmtree(folder)
        shutil.copytree(start, folder)
        killed = ends_before(number, act)
        act()
        assert contents(folder) == whole, f"after a kill before operation {number}"
        if not killed:
            return number
        number += 1


def test_a_row_is_added_whole_whenever_it_is_killed(tmp_path):
    start, folder = tmp_path / "start", tmp_path / "study"
    measured(start_folder(start))

    def act() -> None:
        rows = Rows(folder / "rows.jsonl")
        for calls in (30, 40):
            key = {"arm": "a", "seed": 0, "evaluation": "naive", "calls": calls}
            rows.append(MADE | key | {"frechet": 1.0})

    assert everything_is_the_same(folder, start, act) >= 4


@pytest.mark.slow
def test_a_report_is_written_whole_whenever_it_is_killed(tmp_path):
    start, folder = tmp_path / "start", tmp_path / "study"
    measured(start_folder(start))
    figures = start / "figures"
    figures.mkdir()
    for name in ("loss-gone-0.png", "distance-arm-gone.png", "of-my-own.png"):
        (figures / name).write_text("earlier")

    def act() -> None:
        write_report(Study.read(folder / "study.yaml"))

    assert everything_is_the_same(folder, start, act) >= 10


def start_folder(path: Path) -> Path:
    path.mkdir()
    return path
