"""How often is a price of the whole list not what it seems?

Every model of genai-prices, at days around each change, at every tier, batch and speed, on both sides of every
long-context edge: what genai-prices returns for what was asked, beside the kit.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.usage import TokenUsage, UsageReading

_NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_TERMS: list[dict[str, str]] = [
    {},
    {"service_tier": "flex"},
    {"service_tier": "priority"},
    {"service_tier": "fast"},
    {"service_tier": "no-such-tier"},
    {"processing": "batch"},
    {"speed": "fast"},
]


def sweep(book: PriceBook) -> None:
    """Print how the kit and genai-prices compare, and by which rule they differ."""
    counts: Counter[str] = Counter()
    why: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for provider in get_snapshot().providers:
            for model in provider.models:
                for at in _days(model):
                    for terms in _TERMS:
                        for usage in _usages(model):
                            _compare(book, provider.id, model, usage, at, terms, counts, why)
    print("\nthe whole list, calls:", counts.total())
    for verdict, count in counts.most_common():
        print(f"  {count:7} {verdict}")
    print("where an amount differs from genai-prices:")
    for rule, count in why.most_common():
        print(f"  {count:7} {rule}")


def _compare(
    book: PriceBook,
    provider: str,
    model: Any,
    usage: TokenUsage,
    at: datetime,
    terms: dict[str, str],
    counts: Counter[str],
    why: Counter[str],
) -> None:
    theirs = _theirs(model.id, provider, usage, at, terms)
    if theirs is None or theirs.model is not model:
        return
    reading = UsageReading(usage=usage, model=model.id, provider=provider, **terms)  # type: ignore[arg-type]
    cost = book.price(reading, at=at)
    plain = theirs.total_price == _theirs(model.id, provider, usage, at, {}).total_price
    silent = ", where genai-prices returns the standard price without a word" if terms and plain and usage.total else ""
    counts[f"{cost.basis}{silent}"] += 1
    if cost.usd is None:
        why[f"unpriced: genai-prices leaves tokens without a rate out{' (0)' if theirs.total_price == 0 else ''}"] += 1
    elif cost.usd != theirs.total_price:
        why[_rule(cost)] += 1


def _rule(cost: Cost) -> str:
    said = [*(cost.price.notes if cost.price is not None else ()), *cost.reasons]
    rules = [text for text in said if "before that date" in text or text.startswith(("batch:", "one-hour", "free"))]
    general = "; ".join(text.partition(": the discount listed from")[0] for text in rules)
    return f"{cost.basis}: {general + (', before the list has it' if 'before that' in ' '.join(rules) else '')}"


def _theirs(model: str, provider: str, usage: TokenUsage, at: datetime, terms: dict[str, str]) -> Any:
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    counts = {
        "input_tokens": usage.total_input,
        "output_tokens": usage.total_output,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": written,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
    }
    try:
        return calc_price(
            Usage(**{name: count for name, count in counts.items() if count}),
            model,
            provider_id=provider,
            genai_request_timestamp=at,
            price_context=terms or None,
        )
    except LookupError:
        return None


def _days(model: Any) -> Iterator[datetime]:
    """Yield a day, and the moments before and at each change of a model's prices."""
    yield _NOW
    listed = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    for start in {start for item in listed if (start := getattr(item.constraint, "start_date", None))}:
        change = datetime.combine(start, time(), UTC)
        yield from (change - timedelta(microseconds=1), change)


def _usages(model: Any) -> Iterator[TokenUsage]:
    yield TokenUsage(input_tokens=1000, output_tokens=100)
    yield TokenUsage(input_tokens=10, cache_read_tokens=500, cache_write_5m_tokens=70, cache_write_1h_tokens=30)
    listed = [item.prices for item in model.prices] if isinstance(model.prices, list) else [model.prices]
    rates = [rate for prices in listed for rate in vars(prices).values() if not isinstance(rate, Decimal | None)]
    for start in {tier.start for rate in rates for tier in rate.tiers}:
        yield TokenUsage(input_tokens=start, output_tokens=1)
        yield TokenUsage(input_tokens=start, cache_read_tokens=1, output_tokens=1)
