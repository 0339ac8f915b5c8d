"""The catalogue of corruptions names and shows all there are, as they are."""

import runpy
from pathlib import Path

import pytest

from softdiffusion import corruptions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "corruptions.md").read_text()


@pytest.mark.parametrize("name", sorted(set(corruptions.__all__) - {"Corruption"}))
def test_every_public_corruption_has_a_row_and_a_strip(name):
    assert f"\n| `{name}` |" in PAGE
    assert f"![{name}](images/corruptions/{name}.png)" in PAGE
    assert (ROOT / "docs" / "images" / "corruptions" / f"{name}.png").is_file()


def test_the_table_is_that_of_the_script():
    """Units and transforms come from the classes; a page left behind by them fails here."""
    script = runpy.run_path(str(ROOT / "scripts" / "draw_corruptions.py"))
    for entries in script["CATALOGUE"].values():
        for entry in entries:
            assert f"\n{script['row'](entry)}\n" in PAGE
