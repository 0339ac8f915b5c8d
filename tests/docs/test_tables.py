"""The tables of the pages are those that the committed rows give."""

import runpy
from pathlib import Path

import pytest

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(STUDIES)  # for the modules that lie beside the script
    return runpy.run_path(str(STUDIES / "tables.py"))


def test_every_table_is_up_to_date(tables):
    for page in tables["PAGES"]:
        text = page.read_text()
        assert tables["rewritten"](text) == text, f"{page.name}: run python studies/tables.py"


def test_every_table_has_its_place(tables):
    text = "".join(page.read_text() for page in tables["PAGES"])
    places = [name for _, name, _ in tables["BLOCK"].findall(text)]
    assert sorted(places) == sorted(tables["tables"]())


def test_a_table_that_was_edited_is_found(tables):
    text = "<!-- table: levels -->\n| 4.4 |\n<!-- end of table -->\n"
    written = tables["rewritten"](text)
    assert written != text and "| geometric |" in written
