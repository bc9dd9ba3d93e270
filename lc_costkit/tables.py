"""How is a small table written as text, Markdown or HTML?

The first column is aligned left, the others right; the last lines are totals, one by default.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape


def text_table(header: Sequence[str], lines: Sequence[Sequence[str]], *, footers: int = 1) -> str:
    """Return a table for a terminal.

    Args:
        header: of each column.
        lines: the cells, line by line.
        footers: how many of the last lines come after a rule.

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
    between = [rule] if len(lines) > footers > 0 else []
    body = len(written) - footers
    return "\n".join([written[0], rule, *written[1:body], *between, *written[body:]])


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]], *, footers: int = 1) -> str:
    """Return a Markdown table; pipes and line breaks in cells are made harmless, the last lines are bold.

    >>> print(markdown_table(["a|b", "n"], [["total", "1"]]))
    | a\\|b | n |
    | :--- | ---: |
    | **total** | **1** |
    """
    rule = [":---", *("---:" for _ in header[1:])]
    plain = len(lines) - footers
    last = [[f"**{cell}**" if cell else "" for cell in map(_markdown_cell, line)] for line in lines[plain:]]
    body = [[_markdown_cell(cell) for cell in line] for line in lines[:plain]]
    rows = [[_markdown_cell(cell) for cell in header], rule, *body, *last]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def html_table(
    header: Sequence[str], lines: Sequence[Sequence[str]], *, notes: Sequence[str] = (), footers: int = 1
) -> str:
    """Return an HTML table with notes under it; every cell is escaped, the last lines are bold.

    >>> "<b>" in html_table(["name"], [["<b>"]])
    False
    """
    head = "".join(_html_cell("th", cell, index) for index, cell in enumerate(header))
    body = [
        "<tr>" + "".join(_html_cell("td", cell, index) for index, cell in enumerate(line)) + "</tr>" for line in lines
    ]
    for place in range(len(body) - footers, len(body)):
        line = ";border-top:1px solid" if place == len(body) - footers else ""
        body[place] = body[place].replace("<tr>", f'<tr style="font-weight:bold{line}">', 1)
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
