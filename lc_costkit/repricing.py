"""What would a recorded call cost at other prices, and what was saved on it?

Every record holds what the provider reported and the terms it billed by, so a call can be
priced again at the prices of the moment it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lc_costkit.applying import COUNTS_INCOMPLETE
from lc_costkit.cost import Cost
from lc_costkit.marks import VERIFICATION_FEATURE
from lc_costkit.pricing import PriceBook
from lc_costkit.record import CallRecord, Saving
from lc_costkit.savings import check_savings, saving_again, saving_kept, saving_of_rejected
from lc_costkit.usage import TokenUsage, UsageReading

Left = Literal["nothing to price", "given", "own price", "no price"]
"""Why the cost of a call stays as it is.

``nothing to price``: the cache answered, or the provider did not charge. ``given``: its amount was
written down without a price. ``own price``: it has a price of the user's own, and the book has only the
public one. ``no price``: it has a price, and the book knows none.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """A call that was looked at.

    Attributes:
        cost: what it costs; as it was, where ``left`` says why.
        saved: what was saved on it.
        left: why its cost was not worked out again.
        savings_left: savings on it that depend on prices and could not be worked out again.
    """

    cost: Cost
    saved: tuple[Saving, ...]
    left: Left | None = None
    savings_left: int = 0


def reprice(record: CallRecord, prices: PriceBook, *, rejected_by: str | None = None) -> Repriced:
    """Price a recorded call again, at the prices of the moment it was made.

    Args:
        record: the call.
        prices: the prices that hold.
        rejected_by: the part that threw its answer away: another call took back then what was counted for it.
    """
    unchanged = Repriced(cost=record.cost, saved=record.saved)
    if record.cache == "hit" or (_is_free(record.cost) and not (record.usage.total or record.usage.tool_requests)):
        depends = sum(saving.usd is not None and saving.takes_back is None for saving in record.saved)
        return replace(unchanged, left="nothing to price", savings_left=depends)
    if record.cost.price is None and record.cost.basis != "unpriced":
        return replace(unchanged, left="given")
    reading = reading_of(record)
    cost = prices.price(reading, at=record.started_at, duration_seconds=record.latency_seconds)
    if record.cost.usd is not None:
        if cost.usd is None:
            return replace(unchanged, left="no price")
        if _is_own(record.cost) and not _is_own(cost):
            return replace(unchanged, left="own price")
    if same_amount(cost, record.cost):
        cost = record.cost
    if record.feature == VERIFICATION_FEATURE:
        return Repriced(cost=cost, saved=check_savings(cost))
    saved, left = [], 0
    for saving in record.saved:
        if saving.part == rejected_by and not saving.hypothetical:
            saved.append(saving)
            continue
        again = saving_again(saving, cost, reading, prices, record.started_at)
        if again is None or (again.usd is None and saving.usd is not None):
            left += saving.part != "cache" and saving.usd is not None
            again = saving_kept(saving, record.cost, cost)
        saved.append(again)
    if rejected_by is not None:
        saved = saving_of_rejected(rejected_by, saved, record.cost, cost)
    return Repriced(cost=cost, saved=tuple(saved), savings_left=left)


def same_amount(one: Cost, other: Cost) -> bool:
    """Tell whether two costs say the same, whatever list they come from."""
    return (one.usd, one.basis, one.low, one.high) == (other.usd, other.basis, other.low, other.high)


def reading_of(record: CallRecord) -> UsageReading:
    """Return what the provider reported of a recorded call, as far as it decides the price."""
    reading = _reading(record.usage, record.model, record.provider, record.billing)
    if record.cost.basis == "exact":
        return reading
    counts_doubted = record.interrupted or any(reason.startswith(COUNTS_INCOMPLETE) for reason in record.cost.reasons)
    # A call without a price says nothing of its counts: they are the provider's where it named its model.
    guessed = record.cost.basis == "unpriced" and record.model_answered is None
    return replace(reading, estimated=reading.estimated or counts_doubted or guessed)


def _reading(usage: TokenUsage, model: str | None, provider: str | None, terms: Mapping[str, Any]) -> UsageReading:
    return UsageReading(
        usage=usage,
        model=model,
        provider=provider,
        service_tier=terms.get("service_tier"),
        processing=terms.get("processing"),
        speed=terms.get("speed"),
        inference_geo=terms.get("inference_geo"),
        estimated=terms.get("estimated") is True,
        open_terms=tuple((str(name), str(value)) for name, value in terms.get("open_terms", ())),
        also=_calls(terms.get("also", ())),
        open_calls=_calls(terms.get("open_calls", ())),
    )


def _calls(listed: Any) -> tuple[UsageReading, ...]:
    return tuple(
        _reading(TokenUsage.from_dict(one["usage"]), one.get("model"), one.get("provider"), one) for one in listed
    )


def _is_free(cost: Cost) -> bool:
    return cost.usd is not None and not cost.usd and cost.price is None


def _is_own(cost: Cost) -> bool:
    return cost.price is not None and not cost.price.source.startswith("genai-prices")
