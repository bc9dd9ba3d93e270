"""What does a call cost at given rates, and how far can that be trusted?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from lc_costkit.cost import MILLION, AppliedPrice, Cost
from lc_costkit.usage import UsageReading

_STEP = Decimal("1e-12")
_MOST_DECIMALS = -18

COUNTS_INCOMPLETE = "the provider's counts are incomplete"
"""How the doubt of estimated counts begins; records of the first schema have no other sign of them."""


CHAINS: dict[str, tuple[str, ...]] = {
    "input_tokens": ("input_mtok",),
    "cache_read_tokens": ("cache_read_mtok", "input_mtok"),
    "cache_write_tokens": ("cache_write_mtok", "input_mtok"),
    "cache_write_5m_tokens": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "cache_write_1h_tokens": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "input_audio_tokens": ("input_audio_mtok", "input_mtok"),
    "cache_read_audio_tokens": ("cache_audio_read_mtok", "cache_read_mtok", "input_audio_mtok", "input_mtok"),
    "input_image_tokens": ("input_image_mtok", "input_mtok"),
    "cache_read_image_tokens": ("cache_image_read_mtok", "cache_read_mtok", "input_image_mtok", "input_mtok"),
    "output_tokens": ("output_mtok",),
    "reasoning_tokens": ("output_reasoning_mtok", "output_mtok"),
    "output_audio_tokens": ("output_audio_mtok", "output_mtok"),
    "output_image_tokens": ("output_image_mtok", "output_mtok"),
}
"""For each count of ``TokenUsage`` the rates that may apply to it, the most specific first (genai-prices' keys)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of one call.

    Attributes:
        per_million: USD per million tokens, by genai-prices' key; long-context tiers are already chosen.
        requests: USD per request, by paid tool.
        per_call: USD for the call as such.
        notes: what was applied beyond the plain rates.
        doubts: why the rates may not be those that are billed.
        bounds: the least and the most the call can cost as factors of its price; ``None`` if not known.
        less: USD that the call may have cost less, before the factors.
        more: USD that the call may have cost more, before the factors.
    """

    per_million: Mapping[str, Decimal]
    requests: Mapping[str, Decimal] = field(default_factory=dict)
    per_call: Decimal = Decimal(0)
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    bounds: tuple[Decimal, Decimal] | None = (Decimal(1), Decimal(1))
    less: Decimal = Decimal(0)
    more: Decimal = Decimal(0)

    def rate(self, count: str) -> Decimal | None:
        """Return USD per million for a field of ``TokenUsage``, ``None`` if there is none."""
        for key in CHAINS[count]:
            if key in self.per_million:
                return self.per_million[key]
        return None


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
        doubts.append(f"{COUNTS_INCOMPLETE}, missing or contradict each other")
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
