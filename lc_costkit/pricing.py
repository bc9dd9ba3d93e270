"""What did a call cost?

Prices come from genai-prices, which works offline, or from the user. The arithmetic is
done here, in ``Decimal`` USD, from the same rates that are stored with every call: a
record can be checked with a pocket calculator. A price that is not known is ``unpriced``,
never 0.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, Self

from lc_costkit.amounts import as_utc
from lc_costkit.applying import Rates, apply_rates, unpriced
from lc_costkit.catalog import Catalog, Entry
from lc_costkit.cost import EXACTLY, AppliedPrice, Cost, between, together
from lc_costkit.discounts import Discount, checked_discounts, discounted
from lc_costkit.errors import ConfigurationError
from lc_costkit.explanation import PriceExplanation, of_list, of_own, of_unknown
from lc_costkit.model_names import provider_id, spellings
from lc_costkit.model_price import ModelPrice, OwnPrices, by_model, machine_seconds, model_key
from lc_costkit.rates import listed_rates, unusual
from lc_costkit.refresh import Refresher
from lc_costkit.usage import TokenUsage, UsageReading

__all__ = ["AppliedPrice", "Cost", "Discount", "ModelPrice", "PriceBook", "PriceExplanation"]


class PriceBook:
    """Prices readings of usage: your own prices first, then those of genai-prices.

    ``price`` never raises for a model it does not know and makes no request to the
    network. One book may serve many threads, and may be pickled.

    Args:
        overrides: your prices by model name: the name as answered, ``provider/name``, or
            the name the price list knows it by (so that a price for ``gpt-4o`` also holds
            for ``gpt-4o-2024-08-06``). One ``ModelPrice``, or several for different dates;
            outside of them the price list applies. An override is the whole price: tiers,
            batch discounts, regions and negotiated discounts do not apply to it.
        aliases: model names to look up instead, such as Azure deployments, Bedrock
            profile ARNs and fine-tunes: ``{"my-deployment": "gpt-4o-mini"}``. With a provider,
            ``{"my-deployment": "azure/gpt-4o-mini"}``, the listed price is taken as it is; without,
            an Azure deployment may be in a region, which costs more than the list says.
        discounts: what your providers take off the price list; see ``Discount``.
        refresh_every: fetch the price list anew this often, on a thread of this book's; ``None``, the
            default, for never. A list that cannot be fetched, or is not sound, changes nothing. Close the
            book, or use it in a ``with`` statement, to end the thread; it prices on with the list it has.
        refresh_url: where to fetch it; the repository of genai-prices by default.

    Raises:
        ConfigurationError: an override is not a ``ModelPrice`` or two hold on the same day, an alias leads to
            another alias, two discounts hold for the same calls on the same day, or the refresh is too frequent.

    >>> book = PriceBook()
    >>> usage = TokenUsage(input_tokens=1000, output_tokens=100)
    >>> cost = book.cost("gpt-4o-mini", usage)
    >>> cost.usd, cost.basis
    (Decimal('0.00021'), 'exact')
    >>> book.cost("my-private-llm", usage).usd is None
    True
    """

    def __init__(
        self,
        *,
        overrides: Mapping[str, ModelPrice | Sequence[ModelPrice]] | None = None,
        aliases: Mapping[str, str] | None = None,
        discounts: Iterable[Discount] = (),
        refresh_every: timedelta | None = None,
        refresh_url: str | None = None,
    ) -> None:
        self._discounts = checked_discounts(discounts)
        self._own = OwnPrices(overrides if overrides is not None else {})
        by_model("aliases", aliases if aliases is not None else {})
        self._aliases: dict[str, str] = {}
        for model, target in (aliases or {}).items():
            if self._aliases.setdefault(model_key(model), model_key(target)) != model_key(target):
                raise ConfigurationError(f"aliases name {model!r} twice, in different spellings; give it one entry")
        for model, target in self._aliases.items():
            if target in self._aliases:
                raise ConfigurationError(f"alias {model!r} leads to {target!r}, which is an alias too; name the model")
        if refresh_every is None and refresh_url is not None:
            raise ConfigurationError(f"refresh_url={refresh_url!r} does nothing without refresh_every=timedelta(...)")
        self._refresher = None if refresh_every is None else Refresher(every=refresh_every, url=refresh_url)
        self._catalog = Catalog() if self._refresher is None else Catalog(refreshed=self._refresher.latest)
        if self._refresher is not None:
            # A forgotten book ends its thread, and nobody waits for it.
            weakref.finalize(self, self._refresher.stop)
        self._arguments: dict[str, Any] = {
            "overrides": dict(overrides or {}),
            "aliases": self._aliases,
            "discounts": self._discounts,
            "refresh_every": refresh_every,
            "refresh_url": refresh_url,
        }

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop refreshing the price list; a book without ``refresh_every`` has nothing to stop."""
        if self._refresher is not None:
            self._refresher.close()

    def price(
        self, reading: UsageReading, *, at: datetime | None = None, duration_seconds: float | None = None
    ) -> Cost:
        """Price one call.

        Args:
            reading: what the provider reported.
            at: when the call was made, for prices that changed; now by default, UTC if naive.
            duration_seconds: how long it took, for models that you pay by the hour.
        """
        if not isinstance(reading, UsageReading):
            raise ConfigurationError(
                f"price takes a UsageReading, not {reading!r:.200}; "
                "read_usage(report, provider) of lc_costkit.readers makes one"
            )
        if reading.cached_locally:
            return Cost(usd=Decimal(0), basis="exact")
        moment = _utc(at)
        with localcontext(EXACTLY):
            seconds = machine_seconds(duration_seconds) if self._own else None  # only those are paid by time
            cost = self._price_all(reading, moment, seconds)
            if reading.open_terms or reading.open_calls:
                others = [self._price_all(other, moment, seconds) for other in reading.alternatives()]
                cost = between(cost, others, _what_is_open(reading))
        return cost

    def cost(self, model: str, usage: TokenUsage, *, provider: str | None = None, at: datetime | None = None) -> Cost:
        """Price ``usage`` of ``model`` at standard rates.

        Raises:
            ConfigurationError: ``usage`` is no ``TokenUsage``, or ``model`` or ``at`` is of another type.
        """
        if not isinstance(usage, TokenUsage):
            raise ConfigurationError(f"usage must be a TokenUsage, not {usage!r}; read_usage(...) reads a report")
        if model is not None and not isinstance(model, str):
            raise ConfigurationError(f"a model name must be text, not {model!r}")
        return self.price(UsageReading(usage=usage, model=model, provider=provider), at=at)

    def explain(
        self,
        model: str,
        *,
        provider: str | None = None,
        at: datetime | None = None,
        service_tier: str | None = None,
        processing: str | None = None,
        speed: str | None = None,
        inference_geo: str | None = None,
        input_tokens: int = 0,
    ) -> PriceExplanation:
        """Say which price applies to calls of a model, and where it is from.

        Args:
            model: model name.
            provider: its provider.
            at: when, for prices that changed; now by default, UTC if naive.
            service_tier: ``flex``, ``priority``, ...
            processing: ``batch`` for a batch API.
            speed: ``fast`` where the provider sells a faster mode.
            inference_geo: where the call is run.
            input_tokens: how long the prompt is (tokens), where its length decides the rate.

        Raises:
            ConfigurationError: ``model`` is blank or ``input_tokens`` is not a count.
        """
        model_key(model)
        moment = _utc(at)
        reading = UsageReading(
            usage=TokenUsage(input_tokens=input_tokens),
            model=model,
            provider=provider,
            service_tier=service_tier,
            processing=processing,
            speed=speed,
            inference_geo=inference_geo,
        )
        with localcontext(EXACTLY):
            reading = self._vouched(reading)
            own, entry, names = self._found(reading, moment)
            if own is not None:
                return of_own(reading, moment, *own, self._own.of(own[0]), _own_rates(own[1], reading))
            if entry is None:
                return of_unknown(reading, moment, self._catalog.near(*self._meant(reading)))
            return of_list(reading, moment, entry, lambda call, when: self._listed(entry, call, when, names))

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

    def _price_all(self, reading: UsageReading, at: datetime, seconds: Decimal | None) -> Cost:
        cost = self._price_one(reading, at, seconds)
        for part in reading.also:
            cost = together(cost, self._price_one(part, at, None))
        return cost

    def _price_one(self, reading: UsageReading, at: datetime, seconds: Decimal | None) -> Cost:
        if not reading.model or not reading.model.strip():
            return unpriced("the provider did not say which model answered")
        reading = self._vouched(reading)
        own, entry, names = self._found(reading, at)
        if own is not None:
            return _at_own_price(*own, reading, at, seconds)
        if entry is None:
            where = f" of provider {reading.provider!r}" if reading.provider else ""
            return unpriced(
                f"no price is known for model {reading.model!r}{where}; pass overrides= or aliases= to PriceBook"
            )
        rates = self._listed(entry, reading, at, names)
        return apply_rates(rates, reading, at, model=entry.model.id, provider=entry.provider.id, source=entry.source)

    def _listed(self, entry: Entry, reading: UsageReading, at: datetime, names: Sequence[str]) -> Rates:
        rates = listed_rates(entry, reading, at)
        return discounted(rates, self._discounts, entry.provider.id, names, at) if self._discounts else rates

    def _found(
        self, reading: UsageReading, at: datetime
    ) -> tuple[tuple[str, ModelPrice] | None, Entry | None, tuple[str, ...]]:
        """Return your price and its name, or else the entry of the list; and the names that the model goes by."""
        model, provider = self._meant(reading)
        names = [model_key(reading.model), model]
        for candidate, name, _ in spellings(model, provider) if self._own or self._discounts else ():
            names += [f"{candidate}/{name}", name]
        own = self._own.find(names, at) if self._own else None
        entry = None if own is not None else self._catalog.find(model, provider)
        if entry is not None:
            listed = entry.model.id.lower()
            names.append(listed)
            if self._own:
                own = self._own.find((listed, f"{entry.provider.id}/{listed}"), at)
        return own, None if own is not None else entry, tuple(names)

    def _alias(self, reading: UsageReading) -> str | None:
        provider, asked = provider_id(reading.provider), model_key(reading.model)
        return self._aliases.get(asked) or self._aliases.get(f"{provider}/{asked}")

    def _vouched(self, reading: UsageReading) -> UsageReading:
        """Take the listed price as it is, that of a global endpoint, where an alias names whose price it is."""
        head, _, tail = ((self._alias(reading) if self._aliases else None) or "").partition("/")
        if not tail or reading.inference_geo or provider_id(head) not in self._catalog.providers():
            return reading
        return replace(reading, inference_geo="global")

    def _meant(self, reading: UsageReading) -> tuple[str, str | None]:
        """Return the model and the provider to look up, after aliases."""
        provider, asked = provider_id(reading.provider), model_key(reading.model)
        target = self._alias(reading)
        if target is None:
            return asked, provider
        head, _, tail = target.partition("/")
        if tail and provider_id(head) in self._catalog.providers():
            # Who writes a provider into an alias knows whose price it is.
            return tail, provider_id(head)
        return target, provider


_BY_TIME = (
    "priced by the time the call took: the machine is paid while idle too, and may have served other calls meanwhile"
)


def _own_rates(price: ModelPrice, reading: UsageReading) -> Rates:
    special = unusual(reading)
    return Rates(
        per_million=price.by_list_key(),
        requests={tool: Decimal(amount) for tool, amount in price.per_request.items()},
        per_call=Decimal(price.per_call),
        doubts=tuple(f"the price you gave says nothing of {key}={value!r}" for key, value in special.items()),
        bounds=None if special else (Decimal(1), Decimal(1)),
    )


def _at_own_price(name: str, price: ModelPrice, reading: UsageReading, at: datetime, seconds: Decimal | None) -> Cost:
    rates, source = _own_rates(price, reading), price.describe()
    if price.per_hour is None:
        return apply_rates(rates, reading, at, model=name, provider=None, source=source)
    if seconds is None:
        return unpriced(f"{name!r} is paid by the hour, and how long the call took is not known")
    return apply_rates(
        replace(rates, doubts=(*rates.doubts, _BY_TIME), bounds=None),
        reading,
        at,
        model=name,
        provider=None,
        source=source,
        per_hour=Decimal(price.per_hour),
        seconds=seconds,
    )


def _what_is_open(reading: UsageReading) -> str:
    terms = [f"{name}={value!r}" for name, value in reading.open_terms]
    calls = [f"a call of {part.model} on the way" for part in reading.open_calls]
    return f"the report does not say whether there was {' or '.join(terms + calls)}"


def _utc(at: datetime | None) -> datetime:
    return datetime.now(UTC) if at is None else as_utc(at)
