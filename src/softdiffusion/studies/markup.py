"""Texts and tables as Markdown and as HTML, in which no text is taken for markup."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cell", "Table", "as_html", "as_markdown", "html_table", "markdown_table"]

#: What Markdown may take for markup inside a line; an underscore inside a word is none.
_MARKS = re.compile(r"([\\`*\[\]<>|&~]|(?<!\w)_|_(?!\w))")


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it says.
        bold: Whether it stands out.
    """

    text: str
    bold: bool = False


#: Lines of cells, the first of which is the head.
Table = Sequence[Sequence[Cell]]


def as_markdown(text: str) -> str:
    """A text as one line of Markdown that says just that."""
    return _MARKS.sub(r"\\\1", _one_line(text))


def as_html(text: str) -> str:
    """A text as HTML that says just that, between tags or as an attribute in quotes."""
    return html.escape(_one_line(text), quote=True)


def markdown_table(table: Table) -> str:
    """A table as Markdown."""

    def cell(cell: Cell) -> str:
        return "**" * cell.bold + as_markdown(cell.text) + "**" * cell.bold

    head, *body = ("| " + " | ".join(map(cell, line)) + " |" for line in table)
    return "\n".join([head, "|---" * len(table[0]) + "|", *body])


def html_table(table: Table) -> str:
    """A table as HTML."""

    def cell(cell: Cell) -> str:
        return f"<td>{'<b>' * cell.bold}{as_html(cell.text)}{'</b>' * cell.bold}</td>"

    return "<table>" + "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in table) + "</table>"


def _one_line(text: str) -> str:
    """Without breaks of lines, and with what is no character replaced."""
    return " ".join(text.encode("utf-8", "replace").decode().split())
