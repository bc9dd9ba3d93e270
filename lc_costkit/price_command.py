"""What does a model cost, and how is that known? ``costkit prices MODEL``"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lc_costkit.errors import CostKitError
from lc_costkit.explanation import PriceExplanation
from lc_costkit.pricing import PriceBook


def prices(
    model: Annotated[str, typer.Argument(help="a model's name, as the application or the provider writes it")],
    provider: Annotated[str | None, typer.Option(help="its provider: openai, anthropic, azure, aws ...")] = None,
    at: Annotated[str | None, typer.Option(help="day of the price, YYYY-MM-DD (UTC); today by default")] = None,
    tier: Annotated[str | None, typer.Option(help="service tier: flex, priority ...")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="through a batch API")] = False,
    speed: Annotated[str | None, typer.Option(help="fast, where the provider sells a faster mode")] = None,
    geo: Annotated[str | None, typer.Option(help="where the call is run: us, global, a region")] = None,
    tokens: Annotated[int, typer.Option(min=0, help="length of the prompt, where it decides the rate")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show which price applies to a model, and where it is from; exit with 1 where none is known.

    Prices are those of the price list; overrides, aliases and discounts of an application are known to its
    PriceBook, which explains them the same way: PriceBook(...).explain(MODEL).
    """
    explanation = PriceBook().explain(
        model,
        provider=provider,
        at=_moment(at),
        service_tier=tier,
        processing="batch" if batch else None,
        speed=speed,
        inference_geo=geo,
        input_tokens=tokens,
    )
    if as_json:
        typer.echo(json.dumps(explanation.to_dict(), indent=2, ensure_ascii=False))
    else:
        show(explanation, Console())
    if not explanation.found:
        raise typer.Exit(1)


def show(explanation: PriceExplanation, console: Console) -> None:
    """Print an explanation as a table."""
    console.print(f"[bold]{escape(explanation.headline)}[/bold]", highlight=False, soft_wrap=True)
    if explanation.lines:
        heading, *rows = explanation.table()
        table = Table(*(escape(title) for title in heading[:1]))
        for title in heading[1:]:
            table.add_column(escape(title), justify="right")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)
    for line in explanation.remarks():
        console.print(
            escape(line), style="yellow" if line.startswith("doubt:") else None, highlight=False, soft_wrap=True
        )


def _moment(day: str | None) -> datetime | None:
    if day is None:
        return None
    try:
        moment = datetime.fromisoformat(day)
    except ValueError:
        raise CostKitError(f"--at must be a day like 2026-11-20, not {day!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
