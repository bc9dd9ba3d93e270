"""How is a small table written as text, Markdown or HTML?

The first column is aligned left, the others right; the last line is the total.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape


def text_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table for a terminal.

    >>> print(text_table(["model", "USD"], [["gpt-4o", "0.10"], ["total", "0.10"]]))
    model    USD
    ------  ----
    gpt-4o  0.10
    ------  ----
    total   0.10
    """
    widths = [max(_width(cell) for cell in column) for column in zip(header, *lines, strict=True)]
    rule = "  ".join("-" * width for width in widths)
    written = [_aligned(line, widths) for line in (header, *lines)]
    return "\n".join([written[0], rule, *written[1:-1], *([rule] if len(lines) > 1 else []), written[-1]])


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; pipes and line breaks in cells are made harmless.

    >>> print(markdown_table(["a|b", "n"], [["total", "1"]]))
    | a\\|b | n |
    | :--- | ---: |
    | **total** | **1** |
    """
    rule = [":---", *("---:" for _ in header[1:])]
    last = [f"**{cell}**" if cell else "" for cell in map(_markdown_cell, lines[-1])]
    body = [[_markdown_cell(cell) for cell in line] for line in lines[:-1]]
    rows = [[_markdown_cell(cell) for cell in header], rule, *body, last]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def html_table(header: Sequence[str], lines: Sequence[Sequence[str]], *, notes: Sequence[str] = ()) -> str:
    """Return an HTML table with notes under it; every cell is escaped.

    >>> "<b>" in html_table(["name"], [["<b>"]])
    False
    """
    head = "".join(_html_cell("th", cell, index) for index, cell in enumerate(header))
    body = [
        "<tr>" + "".join(_html_cell("td", cell, index) for index, cell in enumerate(line)) + "</tr>" for line in lines
    ]
    body[-1] = body[-1].replace("<tr>", '<tr style="font-weight:bold;border-top:1px solid">', 1)
    under = "".join(f"<div>{escape(note)}</div>" for note in notes)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        f'<div style="font-size:smaller">{under}</div>'
    )


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for index, (cell, width) in enumerate(zip(line, widths, strict=True)):
        padding = " " * (width - _width(cell))
        cells.append(padding + cell if index else cell + padding)
    return "  ".join(cells).rstrip()


def _markdown_cell(text: str) -> str:
    for character in "\\`*_|<>[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _html_cell(kind: str, text: str, index: int) -> str:
    return f'<{kind} style="text-align:{"right" if index else "left"}">{escape(text)}</{kind}>'
