"""What can be done from a terminal? The ``costkit`` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from lc_costkit.errors import CostKitError, MissingDependency

try:
    import typer
    from rich.console import Console
    from rich.markup import escape

    from lc_costkit.budget_command import budget
    from lc_costkit.cache_command import cache_app
    from lc_costkit.price_command import prices
    from lc_costkit.reprice_command import reprice
except ImportError as error:
    raise MissingDependency("the costkit command", "cli") from error

app = typer.Typer(
    name="costkit",
    help="Cut what a LangChain or LlamaIndex application spends on model calls, and prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.add_typer(cache_app)
app.command()(budget)
app.command()(prices)
app.command()(reprice)


@app.command()
def demo(
    requests: Annotated[int, typer.Option(help="how many questions to ask")] = 400,
    seed: Annotated[int, typer.Option(help="another seed asks other questions in another order")] = 0,
    html: Annotated[Path | None, typer.Option(help="where the HTML report goes")] = Path("costkit-demo.html"),
    live: Annotated[bool, typer.Option("--live", help="ask the real provider; needs OPENAI_API_KEY")] = False,
    max_usd: Annotated[float, typer.Option(help="with --live: no call is made that could pass this, USD")] = 0.50,
    base_url: Annotated[str | None, typer.Option(help="with --live: another endpoint, at OpenAI's prices")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="with --live: do not ask before spending")] = False,
) -> None:
    """Ask real support questions of a RAG chain, without the kit and with it, and compare the bills."""
    from lc_costkit.demo.main import DemoOptions, run_demo

    outcome = run_demo(
        DemoOptions(
            requests=requests, seed=seed, html=html, live=live, max_usd=max_usd, base_url=base_url, confirmed=yes
        ),
        Console(),
    )
    if outcome is None:
        raise typer.Exit(1)


@app.command()
def report(
    ledger: Annotated[str, typer.Argument(help="path or URL of a ledger")],
    by: Annotated[str | None, typer.Option(help="model, feature, user, team, tag, day ...")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="only calls from this day on (UTC)")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="only calls before this day (UTC)")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="only calls of this user=, feature=, team=, model= ...; several at once"
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="print a Markdown table")] = False,
) -> None:
    """Show what was spent and saved, from a ledger."""
    from lc_costkit.ledger import Ledger
    from lc_costkit.reprice_command import day_given

    if "ledger" not in _parts(ledger):
        raise CostKitError(f"{ledger} holds no ledger")
    days = {"since": day_given("since", since), "until": day_given("until", until)}
    with Ledger(ledger, read_only=True) as opened:
        result = opened.report(by=by, since=days["since"], until=days["until"], **dict(map(_narrowing, only or ())))
        typer.echo(result.to_markdown() if markdown else repr(result))


@app.command()
def check(database: Annotated[str, typer.Argument(help="path or URL of a ledger, a cache, or both")]) -> None:
    """Audit a database; exit with 1 where something is wrong."""
    from lc_costkit.cache import Cache
    from lc_costkit.ledger import Ledger

    parts = _parts(database)
    if not parts:
        raise CostKitError(f"{database} holds neither a ledger nor a cache")
    problems: list[str] = []
    if "ledger" in parts:
        with Ledger(database, read_only=True) as ledger:
            problems += ledger.check()
    if "cache" in parts:
        with Cache(database) as cache:
            problems += cache.check()
    for problem in problems:
        typer.echo(problem)
    typer.echo(f"{database}: " + (f"{len(problems)} problem(s)" if problems else "clean"))
    if problems:
        raise typer.Exit(1)


def _narrowing(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value) or name in ("by", "since", "until"):
        raise CostKitError(f"--only must be NAME=VALUE such as user=u42, not {text!r}")
    return name, value


def _parts(path_or_url: str) -> frozenset[str]:
    """Return what there is to look at: a command that reads must not make tables in somebody's file."""
    from lc_costkit.versions import components

    if "://" in path_or_url:
        return frozenset({"ledger", "cache"})
    if not Path(path_or_url).expanduser().is_file():
        raise CostKitError(f"there is no database at {path_or_url}")
    return components(path_or_url)


def main() -> None:
    """Run the command; an expected error is one line and exit code 2, never a traceback."""
    try:
        app()
    except CostKitError as error:
        Console(stderr=True).print(f"[red]costkit:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
