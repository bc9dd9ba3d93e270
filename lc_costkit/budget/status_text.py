"""How is the state of a budget shown: as text, in a line of a log, as HTML?"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from lc_costkit.tables import text_table

if TYPE_CHECKING:
    from lc_costkit.budget.status import AccountStatus, BudgetStatus

UNITS = {"usd": "USD", "tokens": "tokens", "calls": "calls"}
ASCII_BAR = ("#", "=", ".", "|")
BLOCK_BAR = ("█", "▒", "·", "│")
"""For spent, held, free, and where the soft limit is."""

MOST_SHOWN = 20
"""Allowances in a text; the others are counted."""

_NOTHING = "nothing spent in this window"
_WIDTH = 24
_LONGEST_NAME = 40


def as_text(status: BudgetStatus) -> str:
    """Return a heading and a bar for each allowance."""
    if not status.accounts:
        return f"{heading(status)}\n{_NOTHING}"
    header = ["", "used", "spent", "held", "left", "share"]
    lines = [cells(status, account, ASCII_BAR) for account in status.accounts[:MOST_SHOWN]]
    if len(status.accounts) > 1:
        lines.append(total_cells(status))
    notes = [f"{more:,} more not shown"] if (more := len(status.accounts) - MOST_SHOWN) > 0 else []
    return "\n".join([heading(status), text_table(header, lines), *notes, *notes_of(status)])


def as_line(status: BudgetStatus) -> str:
    """Return what a log needs to know on one line: who has used the most."""
    if not status.accounts:
        return f"{heading(status)}: nothing spent"
    first, unit = status.accounts[0], UNITS.get(status.unit, status.unit)
    others = f" ({len(status.accounts) - 1:,} more)" if len(status.accounts) > 1 else ""
    spent = f"{amount_text(first.spent)} {unit} ({share_text(first.share)})"
    rest = f"holds {amount_text(first.held)}, {amount_text(first.left)} left{others}"
    return f"{heading(status)}: {printable(first.name)} spent {spent} and {rest}"


def as_html(status: BudgetStatus) -> str:
    """Return a table with bars; everything a user wrote is escaped."""
    rows = [
        f'<tr><td style="text-align:left">{escape(printable(account.name))}</td><td>{_html_bar(status, account)}</td>'
        + "".join(f'<td style="text-align:right">{cell}</td>' for cell in _numbers(account))
        + "</tr>"
        for account in status.accounts[:MOST_SHOWN]
    ]
    head = "".join(f"<th>{title}</th>" for title in ("", "", "spent", "held", "left", "share"))
    more = len(status.accounts) - MOST_SHOWN
    notes = [*([f"{more:,} more not shown"] if more > 0 else []), *notes_of(status)]
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    under = "".join(
        f"<div>{escape(note)}</div>" for note in notes or ([] if rows else ["nothing spent in this window"])
    )
    return f'<div><b>{escape(heading(status))}</b></div>{body}<div style="font-size:smaller">{under}</div>'


def heading(status: BudgetStatus) -> str:
    """Return what the budget allows and when it resets, on one line."""
    unit = UNITS.get(status.unit, status.unit)
    each = [key for key, value in status.scope.items() if value == "*"]
    only = [f"{key}={printable(value)}" for key, value in status.scope.items() if value != "*"]
    whom = (f" for each {' and '.join(map(printable, each))}" if each else "") + (
        f" for {', '.join(only)}" if only else ""
    )
    when = "in total" if status.per == "total" else f"per {status.per}"
    said = f"budget {printable(status.name)!r}: {amount_text(status.limit)} {unit} {when}{whom}"
    said += ", counted only (observe)" if status.mode == "observe" else ""
    return said if status.resets_at is None else f"{said}, resets {moment_text(status.resets_at)}"


def notes_of(status: BudgetStatus) -> list[str]:
    """Return what needs a word: calls that were never settled, allowances that are used up or past the soft limit."""
    unit, notes = UNITS.get(status.unit, status.unit), []
    spent_up = len(status.exhausted)
    warned = len([account for account in status.past_soft if account.left > 0])
    if spent_up:
        notes.append(f"used up: {spent_up:,} of {len(status.accounts):,}")
    if warned:
        notes.append(f"past the soft limit of {status.soft:.0%}: {warned:,} of {len(status.accounts):,}")
    if status.unsettled:
        notes.append(
            f"never settled, counted in full: {amount_text(status.unsettled)} {unit} (calls whose lease ran out)"
        )
    return notes


def cells(status: BudgetStatus, account: AccountStatus, characters: tuple[str, str, str, str]) -> list[str]:
    """Return the line of one allowance."""
    return [printable(account.name), bar(status, account, characters), *_numbers(account)]


def total_cells(status: BudgetStatus) -> list[str]:
    """Return the line of all allowances together; what is left of one is of no use to another."""
    return ["all together", "", amount_text(status.spent), amount_text(status.held), "", ""]


def bar(status: BudgetStatus, account: AccountStatus, characters: tuple[str, str, str, str]) -> str:
    """Return a bar that is as full as the allowance is used, with a mark at the soft limit.

    Anything spent shows, and it is full only where nothing is left.
    """
    spent_mark, held_mark, free, soft_mark = characters
    limit, spent, used = float(account.limit), float(account.spent), float(account.spent + account.held)
    filled = _cells_of(used, limit, account.left <= 0)
    solid = min(filled, _cells_of(spent, limit, account.left <= 0 and not account.held))
    drawn = list(spent_mark * solid + held_mark * (filled - solid) + free * (_WIDTH - filled))
    if status.soft is not None and status.soft < 1:
        mark = min(_WIDTH - 1, round(_WIDTH * status.soft))
        if mark >= filled:
            drawn[mark] = soft_mark
    return "".join(drawn)


def amount_text(amount: Decimal | int) -> str:
    """Write USD with at least two places and at most as many as it takes, tokens and calls with separators.

    >>> amount_text(Decimal("12.3")), amount_text(Decimal("0.000021")), amount_text(1234567)
    ('12.30', '0.000021', '1,234,567')
    """
    if not isinstance(amount, Decimal):
        return f"{amount:,}"
    places = 6 if not amount or abs(amount) >= Decimal("0.00001") else 9
    whole, _, fraction = f"{amount:,.{places}f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def share_text(share: float) -> str:
    """Write a share in whole per cent that is 0 or 100 only where it is.

    >>> share_text(0.001), share_text(0.5), share_text(0.999), share_text(1.0)
    ('<1%', '50%', '>99%', '100%')
    """
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def moment_text(moment: datetime) -> str:
    """Write a moment in UTC to the minute."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def printable(text: str) -> str:
    """Return a text on one line, shortened, in which nothing can steer a terminal."""
    line = "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 3] + "..."


def _numbers(account: AccountStatus) -> list[str]:
    return [
        amount_text(account.spent),
        amount_text(account.held),
        amount_text(account.left),
        share_text(account.share),
    ]


def _cells_of(used: float, limit: float, full: bool) -> int:
    if full:
        return _WIDTH
    return max(1 if used else 0, min(_WIDTH - 1, int(_WIDTH * used / limit))) if limit else 0


def _html_bar(status: BudgetStatus, account: AccountStatus) -> str:
    limit = float(account.limit)
    spent = min(1.0, float(account.spent) / limit) if limit else 1.0
    held = min(1.0 - spent, float(account.held) / limit) if limit else 0.0
    mark = "" if status.soft is None else _html_part(status.soft, 0.004, "#c98a1b")
    return (
        '<div style="position:relative;width:160px;height:12px;background:#e8e8e8">'
        f"{_html_part(0.0, spent, '#3b6ea5')}{_html_part(spent, held, '#a9c1da')}{mark}</div>"
    )


def _html_part(start: float, length: float, colour: str) -> str:
    return (
        f'<div style="position:absolute;left:{start:.2%};width:{length:.2%};min-width:{1 if length else 0}px;'
        f'height:12px;background:{colour}"></div>'
    )
