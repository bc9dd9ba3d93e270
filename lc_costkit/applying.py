"""What does a call cost at given rates, and how far can that be trusted?"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from lc_costkit.cost import MILLION, AppliedPrice, Cost
from lc_costkit.rates import Rates
from lc_costkit.usage import UsageReading

_STEP = Decimal("1e-12")
_MOST_DECIMALS = -18


def apply_rates(
    rates: Rates,
    reading: UsageReading,
    at: datetime,
    *,
    model: str,
    provider: str | None,
    source: str,
    per_hour: Decimal | None = None,
    seconds: Decimal | None = None,
) -> Cost:
    """Return what a call costs.

    Args:
        rates: what it is billed at.
        reading: what the provider reported.
        at: when it was made (UTC).
        model: whose rates they are.
        provider: its provider in the price list.
        source: where the rates are from.
        per_hour: USD for an hour of the machine it ran on.
        seconds: how long it had the machine.
    """
    usage = reading.usage
    counts = usage.priced_counts
    used = {name: rates.rate(name) for name in dict.fromkeys(("input_tokens", "output_tokens", *counts))}
    missing = [name for name in counts if used[name] is None]
    if missing:
        return unpriced(f"the price of {model!r} has no rate for {', '.join(missing)}; pass overrides= to PriceBook")
    price = AppliedPrice(
        model=model,
        provider=provider,
        source=source,
        at=at,
        rates=tuple((name, rate) for name, rate in used.items() if rate is not None),
        requests=tuple((tool, rates.requests[tool]) for tool, _ in usage.tool_requests if tool in rates.requests),
        per_call=rates.per_call,
        notes=rates.notes,
        per_hour=per_hour,
        seconds=seconds,
    )
    return _judge(price, rates, reading)


def unpriced(reason: str) -> Cost:
    """Return the cost of a call without a price."""
    return Cost(usd=None, basis="unpriced", reasons=(reason,))


def _judge(price: AppliedPrice, rates: Rates, reading: UsageReading) -> Cost:
    """Say how far an amount can be trusted and between which bounds the true one lies."""
    usage = reading.usage
    usd = price.amount(usage)
    doubts = list(rates.doubts)
    bounds = rates.bounds
    extra = Decimal(0)
    write, hour = rates.rate("cache_write_tokens"), rates.per_million.get("cache_write_1h_mtok")
    if usage.cache_write_tokens and write is not None and hour is not None and hour > write:
        doubts.append("the lifetime of the cache write was not reported; the five-minute rate was used")
        extra = usage.cache_write_tokens * (hour - write) / MILLION
    unknown = [tool for tool, _ in usage.tool_requests if tool not in rates.requests]
    if unknown:
        doubts.append(f"no price is known for requests of {', '.join(unknown)}; they are not in the amount")
        bounds = None
    if reading.estimated:
        doubts.append("the provider's counts are incomplete or contradict each other")
        bounds = None
    if not doubts or usd is None:
        return Cost(usd=usd, basis="exact", price=price)
    low = None if bounds is None else _short(max(Decimal(0), usd - rates.less) * bounds[0], ROUND_FLOOR)
    high = None if bounds is None else _short((usd + rates.more + extra) * bounds[1], ROUND_CEILING)
    return Cost(usd=usd, basis="estimated", price=price, low=low, high=high, reasons=tuple(doubts))


def _short(bound: Decimal, direction: str) -> Decimal:
    """Return a bound with an end: a factor of one rate by another may have none."""
    exponent = bound.as_tuple().exponent
    return bound.quantize(_STEP, direction) if isinstance(exponent, int) and exponent < _MOST_DECIMALS else bound
