"""How is history priced again from a terminal? ``costkit reprice``."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import ModelPrice, PriceBook


def reprice(
    ledger: Annotated[str, typer.Argument(help="path or URL of a ledger")],
    override: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=IN/OUT", help="a price of your own, USD per million tokens; may be given often"),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="only calls from this day on (UTC)")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="only calls before this day (UTC)")] = None,
    model: Annotated[str | None, typer.Option(help="only calls of this model")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would change, and write nothing")] = False,
) -> None:
    """Price recorded calls again, each at the prices of its day; what they were priced at is kept.

    Stop it at any time: what is written stays written, and running it again does the rest.
    """
    from lc_costkit.ledger import Ledger

    prices = PriceBook(overrides=dict(_override(text) for text in override or ()))
    equal = {} if model is None else {"model": model}
    bounds = {"since": day_given("since", since), "until": day_given("until", until)}
    # A command must not make a ledger where there is none.
    Ledger(ledger, read_only=True).close()
    with Ledger(ledger, read_only=dry_run) as opened, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pricing", total=None)
        result = opened.reprice(
            prices,
            since=bounds["since"],
            until=bounds["until"],
            dry_run=dry_run,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            **equal,
        )
    typer.echo(repr(result))


def _override(text: str) -> tuple[str, ModelPrice]:
    # A model's name may hold "=" and "/", as an ARN or a path does.
    model, _, rates = text.rpartition("=")
    inputs, _, outputs = rates.partition("/")
    if not model or not inputs:
        raise ConfigurationError(f"--override must be MODEL=IN/OUT in USD per million tokens, not {text!r}")
    return model, ModelPrice(input_per_million=inputs, output_per_million=outputs or None)


def day_given(name: str, text: str | None) -> date | None:
    """Return the day that an option names.

    Raises:
        ConfigurationError: it names none.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--{name} must be a day such as 2026-11-01, not {text!r}") from None
