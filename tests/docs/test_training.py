"""The table of docs/training.md."""

import re
from pathlib import Path

import pytest

from softdiffusion.denoisers.power_ema import combination

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text("utf-8")
LENGTHS = [float(cell) for cell in re.findall(r"0\.\d+", re.search(r"\| kept \|.*", PAGE)[0])]
ROWS = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.M)


@pytest.mark.parametrize("kept, cells", ROWS)
def test_what_is_missing_is_what_the_command_says(kept, cells):
    averages = [(one, at) for at in range(1, int(kept) + 1) for one in (0.05, 0.1)]
    missing = [100 * combination(averages, length, int(kept))[1] for length in LENGTHS]
    assert [f"{share:.1f}" for share in missing] == cells.split(" | ")


def test_the_table_is_read():
    assert len(ROWS) == 5 and len(LENGTHS) == 8
