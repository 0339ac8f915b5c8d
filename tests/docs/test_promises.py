"""Every promise of docs/promises.md names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| ([^|*].*) \| (`.*`) \|$", (ROOT / "docs/promises.md").read_text("utf-8"), re.M
)


@pytest.mark.parametrize("promise, tests", ROWS)
def test_a_promise_has_its_tests(promise, tests):
    for path in re.findall(r"`([^`]*)`", tests):
        found = ROOT / path
        files = found.glob("test_*.py") if found.is_dir() else [found]
        assert any("def test_" in file.read_text("utf-8") for file in files), path


def test_the_table_is_read():
    assert len(ROWS) > 15
