"""How does the demo's HTML report look? One page, one chart, nothing loaded from elsewhere."""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal
from html import escape
from itertools import accumulate
from pathlib import Path
from string import Template

from lc_costkit.demo.compare import Asked, Outcome
from lc_costkit.demo.screen import (
    ADDED,
    REST,
    WHAT_EACH_PART_SAVED,
    explanation,
    false_hits,
    quantiles,
    share,
    usd,
)
from lc_costkit.errors import MissingDependency

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>lc_costkit: the bill before and after</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.big { font-size: 2.2rem; font-weight: 600; margin: .5rem 0 }
table { border-collapse: collapse; width: 100% } td, th { padding: .35rem .6rem; border-bottom: 1px solid #dde3ea }
td + td, th + th { text-align: right; font-variant-numeric: tabular-nums } th { text-align: left; font-weight: 600 }
svg { max-width: 100%; height: auto } .note { color: #5a6675; font-size: .9rem; white-space: pre-line }
</style></head><body>
<h1>The bill before and after</h1>
<p class="big">$before &rarr; $after ($change)</p>
<p>$requests support questions, asked of a plain RAG chain and of the same chain with lc_costkit.</p>
$chart
<h2>Saved by each part, in this order, net of what it cost</h2>
<table><tr><th>part</th><th>USD</th><th>share of the plain bill</th></tr>$parts</table>
<h2>Hits, and how many were wrong</h2>
<table>$quality</table>
<h2>Latency, median / 95th percentile</h2>
<table>$latency</table>
<h2>What is real and what is not</h2>
<p class="note">$explanation</p>
</body></html>
""")


def write_page(path: Path, asked: Sequence[Asked], outcome: Outcome, *, live: bool) -> Path:
    """Write the report and return its path.

    Raises:
        OSError: the file cannot be written.
        MissingDependency: matplotlib is not installed.
    """
    rest = outcome.difference - sum(outcome.saved.values(), Decimal(0))
    amounts = [(text, outcome.saved.get(part, Decimal(0))) for part, text in WHAT_EACH_PART_SAVED.items()]
    amounts += [(REST, rest), ("difference of the two bills", outcome.difference)]
    quality = [
        ("hit rate", share(outcome.hits, outcome.requests)),
        ("exact hits", f"{outcome.exact_hits:,}"),
        ("semantic hits", f"{outcome.semantic_hits:,}"),
        *false_hits(outcome),
        *((f"calls to {m}", share(n, outcome.provider_calls)) for m, n in sorted(outcome.model_shares.items())),
    ]
    latency = [
        ("a request without the kit", quantiles(outcome.plain_seconds)),
        ("a request answered from the cache", quantiles(outcome.hit_seconds)),
        (ADDED, quantiles(outcome.added_seconds)),
    ]
    change = share(outcome.kit_usd - outcome.plain_usd, outcome.plain_usd)
    page = _PAGE.substitute(
        before=usd(outcome.plain_usd),
        after=usd(outcome.kit_usd),
        change=change,
        requests=f"{outcome.requests:,}",
        chart=_chart(asked),
        parts="".join(_row(text, usd(amount), share(amount, outcome.plain_usd)) for text, amount in amounts),
        quality="".join(_row(*row) for row in quality),
        latency="".join(_row(*row) for row in latency),
        explanation=escape(explanation(live=live)),
    )
    path.write_text(page, encoding="utf-8")
    return path


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _chart(asked: Sequence[Asked]) -> str:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency("the chart of the demo", "report") from error
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for label, colour, records in (
        ("plain chain", "#9aa5b1", [a.plain for a in asked]),
        ("with lc_costkit", "#1f77b4", [a.kit for a in asked]),
    ):
        costs = accumulate(float((r.cost.usd or 0) + (r.side_cost_usd or 0)) for r in records)
        axes.plot(range(1, len(records) + 1), list(costs), label=label, color=colour, linewidth=2)
    axes.set_xlabel("requests")
    axes.set_ylabel("spent so far (USD)")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]
