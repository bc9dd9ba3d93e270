"""What did a call cost?

Prices come from genai-prices, which works offline, or from the user. The arithmetic is
done here, in ``Decimal`` USD, from the same rates that are stored with every call: a
record can be checked with a pocket calculator. A price that is not known is ``unpriced``,
never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from functools import cache
from importlib.metadata import version
from typing import Any

from lc_costkit.catalog import Catalog, provider_id, spellings
from lc_costkit.cost import EXACTLY, MILLION, AppliedPrice, Cost, between, together
from lc_costkit.errors import ConfigurationError
from lc_costkit.rates import Rates, listed_rates, unusual
from lc_costkit.usage import TokenUsage, UsageReading

__all__ = ["AppliedPrice", "Cost", "ModelPrice", "PriceBook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """What a model costs you, in USD per million tokens.

    Amounts are ``Decimal``, ``int`` or ``str``; a ``float`` is refused, because 0.1 is not
    a tenth there. Rates that are not given follow those that are: cache reads, cache
    writes, audio and images cost what plain input costs, reasoning what output costs.
    Without ``output_per_million`` a call that produced output is unpriced.

    Attributes:
        input_per_million: uncached input.
        output_per_million: output, reasoning included.
        cache_read_per_million: input read from the prompt cache.
        cache_write_per_million: input written to it, for any lifetime without a rate of its own.
        cache_write_5m_per_million: input written for five minutes.
        cache_write_1h_per_million: input written for an hour.
        reasoning_per_million: reasoning, where it is billed apart from other output.
        input_audio_per_million: audio input.
        output_audio_per_million: audio output.
        input_image_per_million: image input.
        output_image_per_million: image output.
        per_call: USD for each call, whatever its tokens.
        per_request: USD for each request of a paid tool, by tool name.

    Raises:
        ConfigurationError: an amount is a float, negative, infinite or no number.

    >>> ModelPrice(input_per_million="0.15", output_per_million="0.60").input_per_million
    Decimal('0.15')
    """

    input_per_million: Decimal | int | str
    output_per_million: Decimal | int | str | None = None
    cache_read_per_million: Decimal | int | str | None = None
    cache_write_per_million: Decimal | int | str | None = None
    cache_write_5m_per_million: Decimal | int | str | None = None
    cache_write_1h_per_million: Decimal | int | str | None = None
    reasoning_per_million: Decimal | int | str | None = None
    input_audio_per_million: Decimal | int | str | None = None
    output_audio_per_million: Decimal | int | str | None = None
    input_image_per_million: Decimal | int | str | None = None
    output_image_per_million: Decimal | int | str | None = None
    per_call: Decimal | int | str = 0
    per_request: Mapping[str, Decimal | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "per_request":
                amounts = {tool: _amount(f"per_request[{tool!r}]", price) for tool, price in value.items()}
                object.__setattr__(self, item.name, amounts)
            elif value is not None or item.name == "input_per_million":
                object.__setattr__(self, item.name, _amount(item.name, value))


class PriceBook:
    """Prices readings of usage: your own prices first, then those of genai-prices.

    ``price`` never raises for a model it does not know and makes no request to the
    network. One book may serve many threads.

    Args:
        overrides: your prices by model name: the name as answered, ``provider/name``, or
            the name the price list knows it by (so that a price for ``gpt-4o`` also holds
            for ``gpt-4o-2024-08-06``). An override is the whole price: tiers, batch
            discounts and regions of the list do not apply to it.
        aliases: model names to look up instead, such as Azure deployments, Bedrock
            profile ARNs and fine-tunes: ``{"my-deployment": "gpt-4o-mini"}`` or
            ``{"my-deployment": "azure/gpt-4o-mini"}``.

    Raises:
        ConfigurationError: an override is not a ``ModelPrice``, or an alias leads to another alias.

    >>> book = PriceBook()
    >>> usage = TokenUsage(input_tokens=1000, output_tokens=100)
    >>> cost = book.cost("gpt-4o-mini", usage)
    >>> cost.usd, cost.basis
    (Decimal('0.00021'), 'exact')
    >>> book.cost("my-private-llm", usage).usd is None
    True
    """

    def __init__(
        self, *, overrides: Mapping[str, ModelPrice] | None = None, aliases: Mapping[str, str] | None = None
    ) -> None:
        self._overrides = {_name(model): _checked_price(model, price) for model, price in (overrides or {}).items()}
        self._aliases = {_name(model): _name(target) for model, target in (aliases or {}).items()}
        for model, target in self._aliases.items():
            if target in self._aliases:
                raise ConfigurationError(f"alias {model!r} leads to {target!r}, which is an alias too; name the model")
        self._catalog = Catalog()

    def __getstate__(self) -> dict[str, Any]:
        return {"overrides": self._overrides, "aliases": self._aliases}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def price(self, reading: UsageReading, *, at: datetime | None = None) -> Cost:
        """Price one call.

        Args:
            reading: what the provider reported.
            at: when the call was made, for prices that changed; now by default, UTC if naive.
        """
        if reading.cached_locally:
            return Cost(usd=Decimal(0), basis="exact")
        moment = _utc(at)
        with localcontext(EXACTLY):
            cost = self._price_all(reading, moment)
            if reading.open_terms or reading.open_calls:
                others = [self._price_all(other, moment) for other in reading.alternatives()]
                cost = between(cost, others, _what_is_open(reading))
        return cost

    def cost(self, model: str, usage: TokenUsage, *, provider: str | None = None, at: datetime | None = None) -> Cost:
        """Price ``usage`` of ``model`` at standard rates."""
        return self.price(UsageReading(usage=usage, model=model, provider=provider), at=at)

    def marginal_input(
        self,
        model: str,
        tokens: int,
        *,
        provider: str | None = None,
        at: datetime | None = None,
        after: TokenUsage | None = None,
    ) -> Cost:
        """Price what ``tokens`` more uncached input tokens would have cost (USD).

        Args:
            model: model name.
            tokens: how many more.
            provider: its provider.
            at: as for ``price``.
            after: the call they would have been added to. It matters where a longer
                prompt is billed at another rate throughout: the difference counts then.

        Raises:
            ConfigurationError: ``tokens`` is not an ``int`` of at least 0.
        """
        before = after if after is not None else TokenUsage()
        moment = _utc(at)
        more = self.cost(model, before + TokenUsage(input_tokens=tokens), provider=provider, at=moment)
        base = self.cost(model, before, provider=provider, at=moment)
        if more.usd is None or base.usd is None:
            return more
        with localcontext(EXACTLY):
            return replace(more, usd=more.usd - base.usd, low=None, high=None)

    def _price_all(self, reading: UsageReading, at: datetime) -> Cost:
        cost = self._price_one(reading, at)
        for part in reading.also:
            cost = together(cost, self._price_one(part, at))
        return cost

    def _price_one(self, reading: UsageReading, at: datetime) -> Cost:
        if not reading.model or not reading.model.strip():
            return _unpriced("the provider did not say which model answered")
        provider = provider_id(reading.provider)
        model = self._aliases.get(_name(reading.model), reading.model)
        own = self._override(model, provider)
        entry = None if own else self._catalog.find(model, provider)
        if entry is not None:
            own = self._override(entry.model.id, entry.provider.id)
        if own is not None:
            return _at_own_price(model, own, reading, at)
        if entry is None:
            where = f" of provider {provider!r}" if provider else ""
            return _unpriced(f"no price is known for model {model!r}{where}; pass overrides= or aliases= to PriceBook")
        rates = listed_rates(entry, reading, at)
        return _apply(rates, reading, at, model=entry.model.id, provider=entry.provider.id, source=_list_name())

    def _override(self, model: str, provider: str | None) -> ModelPrice | None:
        if not self._overrides:
            return None
        names = [_name(model)]
        for candidate, name, _ in spellings(model, provider):
            names += [f"{candidate}/{name}", name]
        return next((self._overrides[name] for name in names if name in self._overrides), None)


def _at_own_price(model: str, price: ModelPrice, reading: UsageReading, at: datetime) -> Cost:
    per_million = {key: Decimal(rate) for key, name in _OWN_KEYS.items() if (rate := getattr(price, name)) is not None}
    special = unusual(reading)
    rates = Rates(
        per_million=per_million,
        requests={tool: Decimal(amount) for tool, amount in price.per_request.items()},
        per_call=Decimal(price.per_call),
        doubts=tuple(f"the price you gave says nothing of {key}={value!r}" for key, value in special.items()),
        bounds=None if special else (Decimal(1), Decimal(1)),
    )
    return _apply(rates, reading, at, model=model, provider=None, source="override")


def _apply(rates: Rates, reading: UsageReading, at: datetime, *, model: str, provider: str | None, source: str) -> Cost:
    usage = reading.usage
    counts = usage.priced_counts
    used = {name: rates.rate(name) for name in dict.fromkeys(("input_tokens", "output_tokens", *counts))}
    missing = [name for name in counts if used[name] is None]
    if missing:
        return _unpriced(f"the price of {model!r} has no rate for {', '.join(missing)}; pass overrides= to PriceBook")
    price = AppliedPrice(
        model=model,
        provider=provider,
        source=source,
        at=at,
        rates=tuple((name, rate) for name, rate in used.items() if rate is not None),
        requests=tuple((tool, rates.requests[tool]) for tool, _ in usage.tool_requests if tool in rates.requests),
        per_call=rates.per_call,
        notes=rates.notes,
    )
    return _judge(price, rates, reading)


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
    low, high = (None, None) if bounds is None else (usd * bounds[0], (usd + extra) * bounds[1])
    return Cost(usd=usd, basis="estimated", price=price, low=low, high=high, reasons=tuple(doubts))


def _what_is_open(reading: UsageReading) -> str:
    terms = [f"{name}={value!r}" for name, value in reading.open_terms]
    calls = [f"a call of {part.model} on the way" for part in reading.open_calls]
    return f"the report does not say whether there was {' or '.join(terms + calls)}"


def _unpriced(reason: str) -> Cost:
    return Cost(usd=None, basis="unpriced", reasons=(reason,))


_OWN_KEYS = {
    "input_mtok": "input_per_million",
    "output_mtok": "output_per_million",
    "cache_read_mtok": "cache_read_per_million",
    "cache_write_mtok": "cache_write_per_million",
    "cache_write_5m_mtok": "cache_write_5m_per_million",
    "cache_write_1h_mtok": "cache_write_1h_per_million",
    "output_reasoning_mtok": "reasoning_per_million",
    "input_audio_mtok": "input_audio_per_million",
    "output_audio_mtok": "output_audio_per_million",
    "input_image_mtok": "input_image_per_million",
    "output_image_mtok": "output_image_per_million",
}


@cache
def _list_name() -> str:
    return f"genai-prices {version('genai-prices')}"


def _utc(at: datetime | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _name(model: object) -> str:
    if not isinstance(model, str) or not model.strip():
        raise ConfigurationError(f"a model name must be text, not {model!r}")
    return model.strip().lower()


def _checked_price(model: str, price: object) -> ModelPrice:
    if not isinstance(price, ModelPrice):
        raise ConfigurationError(f"the override for {model!r} must be a ModelPrice, not {price!r}")
    return price


def _amount(name: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise ConfigurationError(
            f"{name} must be a Decimal, int or str amount of USD, not {value!r}; "
            f"write Decimal({str(value)!r}) or {str(value)!r} so that the amount is exact"
        )
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ConfigurationError(f"{name} is no number: {value!r}") from None
    if not amount.is_finite() or amount < 0:
        raise ConfigurationError(f"{name} must be a finite amount of at least 0 USD, not {value}")
    return amount
