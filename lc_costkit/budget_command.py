"""How do the budgets of a ledger stand? ``costkit budget LEDGER``"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lc_costkit.errors import ConfigurationError, CostKitError

if TYPE_CHECKING:
    from lc_costkit.budget.status import AccountStatus, BudgetStatus

_HOW_TO = (
    "No budget is kept in {ledger} yet. One is from the moment a model is wrapped:\n"
    '  budgeted(model, [Budget(usd=50, per="day", scope={{"user": "*"}})], Ledger({ledger!r}))'
)


def budget(
    ledger: Annotated[str, typer.Argument(help="path or URL of a ledger")],
    name: Annotated[str | None, typer.Option(help="only the budgets of this name")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many allowances of each budget, the most used first")] = 10,
    every: Annotated[bool, typer.Option("--all", help="every allowance, however many")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with every allowance")] = False,
) -> None:
    """Show what is spent, held and left of each budget; exit with 1 where one that stops calls is used up.

    In a bar, what is spent is followed by what calls under way can still take; a line marks the soft limit.
    """
    from lc_costkit.budget.status import registered_statuses
    from lc_costkit.ledger import Ledger

    if not _keeps_budgets(ledger):
        statuses = []
    else:
        with Ledger(ledger) as opened:
            statuses = registered_statuses(opened)
    shown = _named(statuses, name)
    if as_json:
        typer.echo(json.dumps([status.to_dict() for status in shown], indent=2))
    elif not shown:
        typer.echo(_HOW_TO.format(ledger=ledger))
    else:
        _show(shown, None if every else limit)
    if any(status.exhausted for status in shown if status.mode == "on"):
        raise typer.Exit(1)


def _keeps_budgets(ledger: str) -> bool:
    """Tell whether there is something to look at: a command that reads must not make tables in somebody's file."""
    from lc_costkit.versions import components

    if "://" in ledger:
        return True
    if not Path(ledger).expanduser().is_file():
        raise CostKitError(f"there is no database at {ledger}")
    parts = components(ledger)
    if not parts & {"ledger", "budgets"}:
        raise CostKitError(f"{ledger} holds no ledger")
    return "budgets" in parts


def _named(statuses: list[BudgetStatus], name: str | None) -> list[BudgetStatus]:
    if name is None:
        return statuses
    found = [status for status in statuses if status.name == name]
    if not found:
        known = ", ".join(sorted({repr(status.name) for status in statuses})) or "none"
        raise ConfigurationError(f"there is no budget named {name!r}; there is {known}")
    return found


def _show(statuses: Iterable[BudgetStatus], limit: int | None) -> None:
    from lc_costkit.budget.status_text import ASCII_BAR, BLOCK_BAR, heading, notes_of

    console = Console(highlight=False)
    characters = ASCII_BAR if console.options.ascii_only else BLOCK_BAR
    for status in statuses:
        console.print(Text(heading(status), style="bold"), soft_wrap=True)
        if not status.accounts:
            console.print("nothing spent in this window\n")
            continue
        console.print(_table(status, limit, characters))
        for note in notes_of(status):
            console.print(Text(note), soft_wrap=True)
        console.print()


def _table(status: BudgetStatus, limit: int | None, characters: tuple[str, str, str, str]) -> Table:
    from lc_costkit.budget.status_text import cells, total_cells

    table = Table(box=None, pad_edge=False)
    for title, side in (("", "left"), ("", "left"), *((each, "right") for each in ("spent", "held", "left", "share"))):
        table.add_column(title, justify="right" if side == "right" else "left", no_wrap=True)
    accounts = status.accounts[:limit]
    for account in accounts:
        line = cells(status, account, characters)
        table.add_row(Text(line[0]), Text(line[1], style=_colour(status, account)), *line[2:])
    if len(status.accounts) > len(accounts):
        table.add_row(Text(f"{len(status.accounts) - len(accounts):,} more (--all)"))
    if len(status.accounts) > 1:
        table.add_row(*total_cells(status))
    return table


def _colour(status: BudgetStatus, account: AccountStatus) -> str:
    if account.left <= 0:
        return "red"
    return "yellow" if account in status.past_soft else "green"
