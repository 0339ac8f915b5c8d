"""What a report shows are texts: none becomes a tag, an attribute, a link or a cell of its own."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from softdiffusion.studies import Rows, Study, write_report
from softdiffusion.studies.markup import Cell, as_html, as_markdown, html_table, markdown_table

HOSTILE = [
    '"><script>alert(1)</script>',
    "<img src=x onerror=alert(1)>",
    "a | b || c",
    "a\nb\r\nc\u2028d",
    "**bold** _so_ `code` ~~gone~~",
    "[link](javascript:alert(1)) ![image](x)",
    "&lt;&amp;&#60;",
    "\\| \\\\| \\",
    "' onmouseover='x",
    "\ud800",
    "日本語",
    "$\\frac$",
]
texts = st.sampled_from(HOSTILE) | st.text(alphabet='<>"&|*_`[]()\\\n a$é', max_size=12)


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


def said(text: str) -> str:
    """A text on one line, as it is shown."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


@given(texts, texts)
@example(*HOSTILE[:2])
def test_texts_stay_texts_in_html(first, second):
    page = Tags(f'<p title="{as_html(first)}">{as_html(second)}</p>')
    assert page.tags == ["p"] and page.attributes == {"title"}
    assert "".join(page.text) == said(second)
    table = Tags(html_table([[Cell(first), Cell(second, bold=True)]]))
    assert table.tags == ["table", "tr", "td", "td", "b"] and not table.attributes


@given(st.lists(texts, min_size=2, max_size=2))
@example(HOSTILE[2:4])
@example(HOSTILE[7:9])
def test_texts_stay_in_their_cells_of_markdown(cells):
    lines = markdown_table([[Cell("a"), Cell("b")], [Cell(text) for text in cells]]).split("\n")
    assert len(lines) == 3
    # As GitHub reads it: a bar ends a cell unless a backslash stands before it.
    found = re.split(r"(?<!\\)(?:\\\\)*\|", lines[2])
    assert len(found) == 4
    plain = [re.sub(r"\\(.)", r"\1", cell) for cell in map(as_markdown, cells)]
    assert plain == [said(text) for text in cells]


@given(texts)
def test_markdown_sees_no_markup_in_a_text(text):
    rest = re.sub(r"\\[\\`*_\[\]<>|&~]", "", as_markdown(text))
    assert not re.search(r"[`*\[\]<>|&~\n]|(?<!\w)_|_(?!\w)", rest)


MADE = {
    **{"n": 50, "images": 100, "extractor": "0123456789ab", "nfe": 5, "frechet_error": 0.5},
    **{"floor": 1.0, "floor_error": 0.1, "floor_n": 50, "processor": "a processor", "threads": 1},
    **{"torch": "2.13.0", "sampling_seconds": 1},
}
RECORD = {"images": 100, "images_per_second": 50.0, "loss": 1.0, "loss_per_level": [1.0, None]}


def measured(
    folder: Path,
    title: str = "A trial",
    label: str = "naive",
    calls: tuple[int, ...] = (10, 20),
    arms: tuple[str, ...] = ("a", "b"),
    **changes: object,
) -> Path:
    content = {
        "title": title,
        "recipe": "base.yaml",
        "images": 100,
        "seeds": [0],
        "samples": 50,
        "evaluations": [{"sampler": "NaiveSampler", "calls": list(calls), "label": label}],
        "arms": dict.fromkeys(arms),
    }
    (folder / "base.yaml").write_text("data: digits\n")
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    rows = [
        MADE | {"arm": arm, "seed": 0, "evaluation": label, "calls": n, "frechet": 30 / n}
        for arm in arms
        for n in calls
    ]
    rows[0] |= changes
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines)
    for arm in arms:
        path = folder / "losses" / f"{arm}-0.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(RECORD) + "\n")
    return folder / "study.yaml"


@pytest.mark.parametrize(
    ("title", "label", "processor"),
    [
        ('"><script>alert(1)</script> | *x*', "it's 5 & <3".replace("<", "("), "<b>|_x_"),
        ("[a](javascript:b)", "$\\frac$".replace("\\", "") + "5", "' onload='x"),
        ("日本語 & $x$", "5 $x_{$ `code` [a](b)", "&lt;"),
    ],
)
def test_a_page_of_hostile_texts_has_no_tags_but_its_own(tmp_path, title, label, processor):
    label = f"l {label}"
    page = write_report(Study.read(measured(tmp_path, title, label, processor=processor)))
    found = Tags(page.read_text(encoding="utf-8"))
    own = "meta title style h1 h2 p table tr td b img section figure figcaption"
    assert set(found.tags) <= set(own.split())
    assert found.attributes <= {"charset", "src", "alt"}
    assert title in "".join(found.text) and processor in "".join(found.text)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[(?:\\.|[^\]\\])*\]\((\S+)\)", markdown)
    assert links and all((tmp_path / unquote(link)).is_file() for link in links)
    assert "<" not in re.sub(r"\\.", "", markdown)
    assert "Left out" not in markdown


def test_what_the_font_lacks_is_left_out_with_its_reason(tmp_path):
    study = Study.read(measured(tmp_path, arms=("日本語", "b")))
    page = write_report(study).read_text(encoding="utf-8")
    assert "<li>the distances of naive: Glyph" in page and "<td>日本語¹</td>" in page
    assert "loss-b-0.png" in page and "distance-evaluation" not in page
    assert not list((tmp_path / "figures").glob("distance-evaluation*"))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nothing",
        b"[]",
        b"{}",
        b'{"images": 0, "images_per_second": 1}',
        b'{"images": 100, "images_per_second": 0}',
        b'{"images": 100, "images_per_second": NaN}',
        b'{"images": 1e3, "images_per_second": 1}',
        b'{"images": 100, "images_per_second": 1}',
        b'{"images": 100, "images_per_second": 1, "loss": "a", "loss_per_level": [1]}',
        b'{"images": 100, "images_per_second": 1, "loss": 1, "loss_per_level": []}',
        b'{"images": 100, "images_per_second": 1, "loss": 1, "loss_per_level": 5}',
        b'{"images": 100, "images_per_second": 1, "loss": 1, "loss_per_level": [null]}',
        b"\xff\xfe",
    ],
)
def test_damaged_losses_are_left_out_with_their_reason(tmp_path, line):
    study = Study.read(measured(tmp_path, calls=(10,)))
    (tmp_path / "losses" / "a-0.jsonl").write_bytes(line + b"\n" * bool(line))
    page = write_report(study).read_text(encoding="utf-8")
    assert "<li>the losses of a-0: " in page
    assert "loss-b-0.png" in page and "loss-a-0.png" not in page
    assert not list((tmp_path / "figures").glob(".*"))


@pytest.mark.parametrize(
    "changes",
    [
        {"frechet": -1.0},
        {"frechet": 0},
        {"frechet": 1e308},
        {"frechet_error": -1.0},
        {"frechet_error": 1e308},
        {"nfe": 0},
        {"floor": -1.0},
        {"sampling_seconds": -1e308},
        {"extractor": "0123456789ab", "gpu": "a | b"},
        {"kernel": "not read"},
    ],
)
def test_strange_numbers_leave_the_rest_of_the_report(tmp_path, changes):
    page = write_report(Study.read(measured(tmp_path, **changes))).read_text(encoding="utf-8")
    assert "<td>b¹</td>" in page and "loss-b-0.png" in page


@pytest.mark.parametrize("name", ["extractor", "floor_n", "torch", "sampling_seconds", "nfe"])
def test_rows_without_what_a_report_needs_are_named(tmp_path, name):
    study = Study.read(measured(tmp_path))
    path = tmp_path / "rows.jsonl"
    first, *others = path.read_text().splitlines()
    row = {key: value for key, value in json.loads(first).items() if key != name}
    path.write_text("\n".join([json.dumps(row), *others]) + "\n")
    with pytest.raises(ValueError, match=f"a row of a by naive without {name}; delete it, and"):
        write_report(study)


def test_a_report_of_a_part_of_the_rows_says_what_was_cut_off(tmp_path):
    study = Study.read(measured(tmp_path, calls=(10,)))
    rows = Rows(tmp_path / "rows.jsonl")
    whole = rows.path.read_bytes()
    rows.path.write_bytes(whole[:-20])
    page = write_report(study).read_text(encoding="utf-8")
    assert "the last row of rows.jsonl: it was cut off" in page
    lines = whole.splitlines(keepends=True)
    rows.path.write_bytes(lines[0])
    page = write_report(study).read_text(encoding="utf-8")
    assert "<td>a¹</td>" in page and "<td>b" not in page and "Left out" not in page
