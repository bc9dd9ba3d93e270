"""How is a cost stated, so that it can be trusted, stored and checked?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any, Self

from lc_costkit.errors import ConfigurationError
from lc_costkit.usage import Basis, TokenUsage

MILLION = Decimal(1_000_000)
"""Rates are quoted for so many tokens."""

_SECONDS_PER_HOUR = 3600
_STEP = Decimal("1e-12")

EXACTLY = Context(prec=60)
"""Precision of all arithmetic with money, digits; the caller's own decimal context plays no part."""


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Add amounts without losing a digit."""
    with localcontext(EXACTLY):
        return sum(amounts, Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPrice:
    """The rates a call was priced at, kept with the call so that it can be checked and priced again.

    Attributes:
        model: the model of the price list that was matched, or the user's own name for it.
        provider: its provider in the price list; ``None`` for a price of the user's.
        source: ``genai-prices <version>``, with when it was refreshed if it was, or ``override`` with its dates.
        at: the moment whose prices were used (UTC).
        rates: USD per million tokens, by field of ``TokenUsage``; input, output and what the call used.
        requests: USD per request, by paid tool.
        per_call: USD for the call as such.
        notes: what was applied or assumed beyond the plain rates.
        per_hour: USD for an hour of the machine the model ran on.
        seconds: how long the call had it.
    """

    model: str
    provider: str | None
    source: str
    at: datetime
    rates: tuple[tuple[str, Decimal], ...]
    requests: tuple[tuple[str, Decimal], ...] = ()
    per_call: Decimal = Decimal(0)
    notes: tuple[str, ...] = ()
    per_hour: Decimal | None = None
    seconds: Decimal | None = None

    def amount(self, usage: TokenUsage) -> Decimal | None:
        """Return USD for ``usage`` at these rates; ``None`` if it holds tokens without a rate.

        What time costs is rounded, half to even, to 1e-12 USD: an hour has 3600 seconds, which no decimal divides.
        """
        counts = usage.priced_counts
        rates = dict(self.rates)
        if not counts.keys() <= rates.keys():
            return None
        requests = dict(self.requests)
        with localcontext(EXACTLY):
            tokens = sum((count * rates[name] for name, count in counts.items()), Decimal(0)) / MILLION
            tools = sum((requests.get(name, Decimal(0)) * count for name, count in usage.tool_requests), Decimal(0))
            return tokens + tools + self.per_call + self._for_time()

    def _for_time(self) -> Decimal:
        if not self.per_hour or not self.seconds:
            return Decimal(0)
        return (self.per_hour * self.seconds / _SECONDS_PER_HOUR).quantize(_STEP, ROUND_HALF_EVEN)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; amounts are strings."""
        return {
            "model": self.model,
            "provider": self.provider,
            "source": self.source,
            "at": self.at.isoformat(),
            "rates": {name: str(rate) for name, rate in self.rates},
            "requests": {name: str(rate) for name, rate in self.requests},
            "per_call": str(self.per_call),
            "notes": list(self.notes),
            **({} if self.per_hour is None else {"per_hour": str(self.per_hour), "seconds": str(self.seconds or 0)}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read back what ``to_dict`` wrote."""
        return cls(
            model=data["model"],
            provider=data["provider"],
            source=data["source"],
            at=datetime.fromisoformat(data["at"]),
            rates=tuple((name, Decimal(rate)) for name, rate in data["rates"].items()),
            requests=tuple((name, Decimal(rate)) for name, rate in data["requests"].items()),
            per_call=Decimal(data["per_call"]),
            notes=tuple(data["notes"]),
            per_hour=None if data.get("per_hour") is None else Decimal(data["per_hour"]),
            seconds=None if data.get("per_hour") is None else Decimal(data["seconds"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call cost, and how far that can be trusted.

    Attributes:
        usd: USD, or ``None`` exactly when the basis is ``unpriced``.
        basis: ``exact``, ``estimated`` or ``unpriced``.
        price: the rates used; ``None`` for an unpriced call and for one that cost nothing.
        low: the least it can have cost (USD), where an estimate has bounds.
        high: the most it can have cost (USD), where an estimate has bounds.
        reasons: why it is not exact, and what to do about it.
        also: prices of the calls the provider made on the way at another model's rates; their cost is in ``usd``.
    """

    usd: Decimal | None
    basis: Basis
    price: AppliedPrice | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    reasons: tuple[str, ...] = ()
    also: tuple[AppliedPrice, ...] = ()

    def __str__(self) -> str:
        if self.usd is None:
            return f"unpriced ({'; '.join(self.reasons)})" if self.reasons else "unpriced"
        bounds = "" if self.low is None or self.high is None else f", {self.low} to {self.high}"
        model = "" if self.price is None else f" at the rates of {self.price.model}"
        return f"{self.usd} USD ({self.basis}{bounds}){model}"

    def __post_init__(self) -> None:
        if self.usd is not None and not isinstance(self.usd, Decimal):
            raise ConfigurationError(f"usd must be a Decimal, not {self.usd!r}; write Decimal({str(self.usd)!r})")
        if (self.usd is None) != (self.basis == "unpriced"):
            raise ConfigurationError(
                f"usd={self.usd} contradicts basis={self.basis!r}: only unpriced calls have no usd"
            )


def together(first: Cost, second: Cost) -> Cost:
    """Add what a call made on the way cost; where one part is unpriced the whole is."""
    reasons = first.reasons + second.reasons
    if first.usd is None or second.usd is None:
        return Cost(usd=None, basis="unpriced", reasons=reasons)
    bounded = all(cost.basis == "exact" or cost.low is not None for cost in (first, second))
    estimated = "estimated" in (first.basis, second.basis)
    return Cost(
        usd=first.usd + second.usd,
        basis="estimated" if estimated else "exact",
        price=first.price,
        low=_least(first) + _least(second) if estimated and bounded else None,
        high=_most(first) + _most(second) if estimated and bounded else None,
        reasons=reasons,
        also=(*first.also, *((second.price,) if second.price else ()), *second.also),
    )


def between(cost: Cost, others: Iterable[Cost], reason: str) -> Cost:
    """Widen a cost to all that it may be instead; it stays as it is where they come to the same."""
    all_of_them = [cost, *others]
    if cost.usd is None or all((other.usd, other.basis) == (cost.usd, cost.basis) for other in all_of_them):
        return cost
    bounded = all(other.basis == "exact" or None not in (other.low, other.high) for other in all_of_them)
    return replace(
        cost,
        basis="estimated",
        low=min(map(_least, all_of_them)) if bounded else None,
        high=max(map(_most, all_of_them)) if bounded else None,
        reasons=(*cost.reasons, reason),
    )


def _least(cost: Cost) -> Decimal:
    amount = cost.low if cost.low is not None else cost.usd
    return amount if amount is not None else Decimal(0)


def _most(cost: Cost) -> Decimal:
    amount = cost.high if cost.high is not None else cost.usd
    return amount if amount is not None else Decimal(0)
