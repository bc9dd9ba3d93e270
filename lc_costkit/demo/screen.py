"""How does the demo show its figures in a terminal?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from lc_costkit.demo.compare import Outcome
from lc_costkit.intervals import wilson

WHAT_EACH_PART_SAVED = {
    "cache": "semantic cache: answers served again",
    "prune": "pruner: less context sent (answers not judged)",
    "route": "router: a cheaper model asked (answers not judged)",
}
"""The parts, in the order in which the difference of the bills is split among them."""

REST = "rest: what these estimates are off by"

ADDED = "with the kit less without, where the provider was called"
"""Against a real provider that may be negative: the cheaper model tends to be the faster one."""


def show(outcome: Outcome, console: Console, *, live: bool) -> None:
    """Print the comparison, and what in it is real and what is simulated."""
    console.print(_bills(outcome))
    console.print(_savings(outcome))
    console.print(_quality(outcome))
    console.print(_latency(outcome))
    console.print(explanation(live=live), style="dim")


def explanation(*, live: bool) -> str:
    """Say what in the figures is real and what is simulated."""
    if live:
        return (
            "Real: the provider, its answers and its bill, the questions (BANKING77), every decision of the kit.\n"
            "Invented: the bank and its help articles. Whether the cheaper model's answers are as good is not judged."
        )
    return (
        "Real: the LangChain and OpenAI clients and their HTTP, the questions (BANKING77, typos included) and their "
        "intent labels, token counts by the models' own tokenizer, published prices, every decision of the kit.\n"
        "Simulated: the popularity of the questions (Zipf's law), and the provider, on this machine. It answers at "
        "once, so a hit saves no time here as it does against a real one. Its answers are invented, so whether a "
        "smaller model or a shorter context would have answered as well is not judged."
    )


def usd(amount: Decimal) -> str:
    """Format USD with as many digits as tell small amounts apart.

    >>> usd(Decimal("0.0123456")), usd(Decimal("1234.5")), usd(Decimal("-0.00002"))
    ('$0.0123', '$1,234.50', '-$0.000020')
    """
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    digits = 2 if size >= 100 else 4 if size >= Decimal("0.001") or size == 0 else 6
    return f"{sign}${size:,.{digits}f}"


def share(part: int | Decimal, whole: int | Decimal) -> str:
    """Format a share in percent; of nothing it is a dash.

    >>> share(1, 8), share(0, 0)
    ('12.5 %', '-')
    """
    return f"{100 * part / whole:.1f} %" if whole else "-"


def quantiles(seconds: Sequence[float]) -> str:
    """Format the median and the 95th percentile in milliseconds.

    >>> quantiles([0.001, 0.002, 0.003]), quantiles([])
    ('2.0 / 2.9 ms', '-')
    """
    if not seconds:
        return "-"
    p50, p95 = np.percentile(np.asarray(seconds) * 1000, [50, 95])
    return f"{p50:.1f} / {p95:.1f} ms"


def false_hits(outcome: Outcome) -> list[tuple[str, str]]:
    """Say how many hits served an answer to another intent: of all, and of those that were not the same words."""
    rows = [
        ("false-hit rate by intent label", rate(outcome.false_hits, outcome.labelled_hits)),
        ("the same of semantic hits alone", rate(outcome.false_semantic_hits, outcome.semantic_hits)),
    ]
    if outcome.unlabelled_hits:
        rows.append(("hits without a label, not judged", f"{outcome.unlabelled_hits:,}"))
    return rows


def rate(wrong: int, hits: int) -> str:
    """Format a share of hits with its 95 % interval.

    >>> rate(1, 50), rate(0, 0)
    ('2.0 % (1 of 50 hits; 95 % interval 0.4 to 10.5 %)', 'no hits')
    """
    if not hits:
        return "no hits"
    low, high = wilson(wrong, hits)
    return f"{share(wrong, hits)} ({wrong} of {hits} hits; 95 % interval {100 * low:.1f} to {100 * high:.1f} %)"


def _bills(outcome: Outcome) -> Table:
    table = Table(title="The bill", box=box.SIMPLE_HEAVY, title_justify="left")
    table.add_column("")
    table.add_column("plain chain", justify="right")
    table.add_column("with lc_costkit", justify="right")
    table.add_column("change", justify="right")
    table.add_row("requests", f"{outcome.requests:,}", f"{outcome.requests:,}", "")
    rows = [
        ("calls to the provider", outcome.requests, outcome.provider_calls),
        ("input tokens", outcome.plain_tokens[0], outcome.kit_tokens[0]),
        ("output tokens", outcome.plain_tokens[1], outcome.kit_tokens[1]),
    ]
    for name, before, after in rows:
        table.add_row(name, f"{before:,}", f"{after:,}", _change(before, after))
    table.add_row(
        "[bold]cost (USD)[/bold]",
        f"[bold]{usd(outcome.plain_usd)}[/bold]",
        f"[bold]{usd(outcome.kit_usd)}[/bold]",
        f"[bold]{_change(outcome.plain_usd, outcome.kit_usd)}[/bold]",
    )
    if outcome.unpriced:
        table.add_row("unpriced calls, not in the cost", "", "", f"{outcome.unpriced:,}")
    if outcome.estimated:
        table.add_row("calls with an estimated cost", "", "", f"{outcome.estimated:,}")
    return table


def _savings(outcome: Outcome) -> Table:
    table = Table(
        title="Saved by each part, in this order, net of what it cost", box=box.SIMPLE_HEAVY, title_justify="left"
    )
    table.add_column("part")
    table.add_column("USD", justify="right")
    table.add_column("share of the plain bill", justify="right")
    for part, text in WHAT_EACH_PART_SAVED.items():
        amount = outcome.saved.get(part, Decimal(0))
        table.add_row(text, usd(amount), share(amount, outcome.plain_usd))
    rest = outcome.difference - sum(outcome.saved.values(), Decimal(0))
    table.add_row(REST, usd(rest), share(rest, outcome.plain_usd))
    table.add_section()
    table.add_row("difference of the two bills", usd(outcome.difference), share(outcome.difference, outcome.plain_usd))
    return table


def _quality(outcome: Outcome) -> Table:
    table = Table(title="Hits, and how many were wrong", box=box.SIMPLE_HEAVY, title_justify="left", show_header=False)
    table.add_row("distinct questions", f"{outcome.distinct:,} of {outcome.requests:,}")
    table.add_row(
        "hit rate",
        f"{share(outcome.hits, outcome.requests)} ({outcome.exact_hits:,} exact, {outcome.semantic_hits:,} semantic)",
    )
    for row in false_hits(outcome):
        table.add_row(*row)
    for model, count in sorted(outcome.model_shares.items(), key=lambda item: -item[1]):
        table.add_row(f"calls to {model}", share(count, outcome.provider_calls))
    return table


def _latency(outcome: Outcome) -> Table:
    table = Table(
        title="Latency, median / 95th percentile", box=box.SIMPLE_HEAVY, title_justify="left", show_header=False
    )
    table.add_row("a request without the kit", quantiles(outcome.plain_seconds))
    table.add_row("a request answered from the cache", quantiles(outcome.hit_seconds))
    table.add_row(ADDED, quantiles(outcome.added_seconds))
    return table


def _change(before: int | Decimal, after: int | Decimal) -> str:
    return f"{100 * (after - before) / before:+.1f} %" if before else "-"
