"""Every link of a page leads to a file, and to a heading in it, that are there."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for place in (".", "docs", "benchmarks", "studies/*")
    for page in sorted(ROOT.glob(f"{place}/*.md"))
]


def anchors(page: Path) -> set[str]:
    """The headings as the page's readers link to them: lower case, no marks, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / unquote(path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
