"""Which price applies to a model, and where is it from?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from lc_costkit.applying import CHAINS, Rates
from lc_costkit.cost import EXACTLY
from lc_costkit.model_price import ModelPrice
from lc_costkit.usage import TokenUsage, UsageReading

if TYPE_CHECKING:
    from lc_costkit.catalog import Entry

_KINDS = {
    "input_tokens": "input",
    "cache_read_tokens": "cache read",
    "cache_write_tokens": "cache write",
    "cache_write_5m_tokens": "cache write, 5 minutes",
    "cache_write_1h_tokens": "cache write, 1 hour",
    "input_audio_tokens": "audio input",
    "cache_read_audio_tokens": "audio cache read",
    "input_image_tokens": "image input",
    "cache_read_image_tokens": "image cache read",
    "output_tokens": "output",
    "reasoning_tokens": "reasoning",
    "output_audio_tokens": "audio output",
    "output_image_tokens": "image output",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine:
    """Rates that hold together.

    Attributes:
        name: ``standard``, ``service_tier flex``, ``processing batch``, ...
        above_tokens: the rates hold for prompts longer than this; 0 for any.
        since: the first day (UTC) on which the list has them; ``None`` for always.
        in_force: whether that day has come; rates of a standard price that is to come are shown.
        rates: USD per million tokens, by field of ``TokenUsage``; only kinds with a rate of their own.
    """

    name: str
    above_tokens: int = 0
    since: date | None = None
    in_force: bool = True
    rates: tuple[tuple[str, Decimal], ...] = ()

    @property
    def title(self) -> str:
        """The name with what limits it."""
        limits = [f"over {self.above_tokens:,} tokens"] if self.above_tokens else []
        if self.since is not None and not (self.in_force and self.name == "standard"):
            limits.append(f"since {self.since}" if self.in_force else f"from {self.since}")
        return ", ".join([self.name, *limits])


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceExplanation:
    """Which price applies to calls of a model.

    Attributes:
        asked: the model as it was asked for.
        asked_provider: the provider as it was asked for.
        at: the moment whose prices are shown (UTC).
        model: the model whose price it is; ``None`` where no price is known.
        provider: its provider in the price list; ``None`` for a price of your own.
        source: where the price is from: the version of the list, or ``override`` with its dates.
        lines: what a call like the one asked about is billed at, first; then long prompts and variants.
        requests: USD for a request, by paid tool.
        per_call: USD for the call as such.
        per_hour: USD for an hour of the machine; ``None`` for a model that is not paid by the hour.
        periods: the dates of all your prices for the model.
        notes: what was applied beyond the plain rates.
        doubts: why it may not be the price that is billed.
        bounds: the least and the most that is billed for tokens, as factors of the rates; ``None`` if not known.
        near: names in the list that are written alike, where no price is known.
    """

    asked: str
    asked_provider: str | None
    at: datetime
    model: str | None = None
    provider: str | None = None
    source: str | None = None
    lines: tuple[RateLine, ...] = ()
    requests: tuple[tuple[str, Decimal], ...] = ()
    per_call: Decimal = Decimal(0)
    per_hour: Decimal | None = None
    periods: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    bounds: tuple[Decimal, Decimal] | None = (Decimal(1), Decimal(1))
    near: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether a price is known."""
        return self.model is not None

    @property
    def headline(self) -> str:
        """Which price it is, or that there is none, in a line."""
        if self.model is None:
            where = f" of provider {self.asked_provider!r}" if self.asked_provider else ""
            return f"{self.asked}{where}: no price is known; its calls are unpriced, not free"
        owner = f"{self.provider}/{self.model}" if self.provider else self.model
        return f"{self.asked}: price of {owner}, {self.source}, at {self.at:%Y-%m-%d}"

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do where no price is known."""
        if self.found:
            return ()
        near = (f"near names in the list: {', '.join(self.near)}",) if self.near else ()
        return (
            *near,
            f'PriceBook(aliases={{"{self.asked}": "provider/model"}}) if it is one of the list by another name',
            f'PriceBook(overrides={{"{self.asked}": ModelPrice(input_per_million=..., output_per_million=...)}}) '
            "or ModelPrice(per_hour=...) if it is not",
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of token that any line has a rate for."""
        rated = {name for line in self.lines for name, _ in line.rates}
        return tuple(name for name in CHAINS if name in rated)

    def table(self) -> list[list[str]]:
        """Return rows of text: the kinds of token, then USD per million of each in each line."""
        rows = [["USD per million tokens", *(_KINDS[kind] for kind in self.kinds)]]
        for line in self.lines:
            rates = dict(line.rates)
            rows.append([line.title, *(_plain(rates[kind]) if kind in rates else "" for kind in self.kinds)])
        return rows

    def remarks(self) -> list[str]:
        """Return everything besides the table, a line each."""
        tools = [f"{tool}: {_plain(rate * 1000)} USD per 1,000 requests" for tool, rate in self.requests if rate]
        per_call = [f"each call: {_plain(self.per_call)} USD"] if self.per_call else []
        per_hour = [f"each hour: {_plain(self.per_hour)} USD, by the time a call takes"] if self.per_hour else []
        periods = [f"your prices: {'; '.join(self.periods)}"] if len(self.periods) > 1 else []
        notes = [f"note: {note}" for note in self.notes]
        doubts = [f"doubt: {doubt}" for doubt in self.doubts]
        if self.bounds is not None and self.bounds[0] != self.bounds[1]:
            doubts.append("doubt: {:.3g} to {:.3g} times these rates are billed".format(*self.bounds))
        return [*tools, *per_call, *per_hour, *periods, *notes, *doubts, *self.advice]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; amounts are strings."""
        return {
            "asked": self.asked,
            "asked_provider": self.asked_provider,
            "at": self.at.isoformat(),
            "found": self.found,
            "model": self.model,
            "provider": self.provider,
            "source": self.source,
            "lines": [
                {
                    "name": line.name,
                    "above_tokens": line.above_tokens,
                    "since": None if line.since is None else line.since.isoformat(),
                    "in_force": line.in_force,
                    "usd_per_million": {name: str(rate) for name, rate in line.rates},
                }
                for line in self.lines
            ],
            "usd_per_request": {tool: str(rate) for tool, rate in self.requests},
            "per_call": str(self.per_call),
            "per_hour": None if self.per_hour is None else str(self.per_hour),
            "periods": list(self.periods),
            "notes": list(self.notes),
            "doubts": list(self.doubts),
            "bounds": None if self.bounds is None else [str(bound) for bound in self.bounds],
            "near": list(self.near),
            "advice": list(self.advice),
        }

    def __repr__(self) -> str:
        rows = self.table() if self.lines else []
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))] if rows else []
        text = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([self.headline, *text, *self.remarks()])

    def _repr_html_(self) -> str:
        rows = self.table() if self.lines else []
        body = "".join(
            "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
            for tag, row in ((("th" if number == 0 else "td"), row) for number, row in enumerate(rows))
        )
        table = f"<table>{body}</table>" if body else ""
        remarks = "".join(f"<li>{escape(line)}</li>" for line in self.remarks())
        return f"<p>{escape(self.headline)}</p>{table}" + (f"<ul>{remarks}</ul>" if remarks else "")


def of_unknown(reading: UsageReading, at: datetime, near: Sequence[str]) -> PriceExplanation:
    """Explain that a model has no price."""
    return PriceExplanation(asked=reading.model or "", asked_provider=reading.provider, at=at, near=tuple(near))


def of_own(
    reading: UsageReading,
    at: datetime,
    name: str,
    price: ModelPrice,
    periods: Sequence[ModelPrice],
    rates: Rates,
) -> PriceExplanation:
    """Explain a price of the user's."""
    return PriceExplanation(
        asked=reading.model or "",
        asked_provider=reading.provider,
        at=at,
        model=name,
        source=price.describe(),
        lines=() if price.input_per_million is None else (RateLine(name="your price", rates=_own_kinds(rates)),),
        requests=tuple(sorted(rates.requests.items())),
        per_call=rates.per_call,
        per_hour=None if price.per_hour is None else Decimal(price.per_hour),
        periods=tuple(other.describe() for other in periods),
        notes=rates.notes,
        doubts=rates.doubts,
        bounds=rates.bounds,
    )


def of_list(
    reading: UsageReading, at: datetime, entry: Entry, price_at: Callable[[UsageReading, datetime], Rates]
) -> PriceExplanation:
    """Explain a price of the list.

    Args:
        reading: the kind of call that was asked about.
        at: when (UTC).
        entry: what the list has.
        price_at: gives the rates of a call of the model at a moment.
    """

    def price(call: UsageReading) -> Rates:
        return price_at(call, at)

    asked = price(reading)
    terms = _terms(reading)
    name = " ".join(f"{key} {value}" for key, value in terms.items()) or "standard"
    lines = _lines(RateLine(name=name), reading, entry, at, price)
    for start in _changes(entry, at):
        moved = RateLine(name=name, since=start, in_force=False)
        lines.append(replace(moved, rates=_own_kinds(price_at(reading, datetime.combine(start, time(), UTC)))))
    plain = replace(reading, service_tier=None, processing=None, speed=None)
    for key, value, since in _variants(entry, at) if entry.native else ():
        if {key: value} != terms:
            changed: dict[str, Any] = {key: value}
            line = RateLine(name=f"{key} {value}", since=since, in_force=since is None or at.date() >= since)
            lines += _lines(line, replace(plain, **changed), entry, at, price) if line.in_force else [line]
    return PriceExplanation(
        asked=reading.model or "",
        asked_provider=reading.provider,
        at=at,
        model=entry.model.id,
        provider=entry.provider.id,
        source=entry.source,
        lines=tuple(lines),
        requests=tuple(sorted(asked.requests.items())),
        per_call=asked.per_call,
        notes=asked.notes + _hours(entry),
        doubts=asked.doubts,
        bounds=asked.bounds,
    )


def _changes(entry: Entry, at: datetime) -> list[date]:
    """Return the days to come on which the list has another price."""
    listed = entry.model.prices if isinstance(entry.model.prices, list) else []
    starts = {start for item in listed if (start := getattr(item.constraint, "start_date", None))}
    return sorted(start for start in starts if start > at.date())


def _hours(entry: Entry) -> tuple[str, ...]:
    """Say at what hours the list has other prices."""
    listed = entry.model.prices if isinstance(entry.model.prices, list) else []
    found = (item.constraint for item in listed)
    # Whichever has hours has both.
    spans = [(getattr(rule, "start_time", None), getattr(rule, "end_time", None)) for rule in found]
    hours = [f"{start:%H:%M} to {end:%H:%M}" for start, end in spans if start is not None and end is not None]
    return (f"other rates from {' and from '.join(hours)} UTC",) if hours else ()


def _terms(reading: UsageReading) -> dict[str, str]:
    return {key: value for key in ("service_tier", "processing", "speed") if (value := getattr(reading, key))}


def _lines(
    line: RateLine, reading: UsageReading, entry: Entry, at: datetime, price: Callable[[UsageReading], Rates]
) -> list[RateLine]:
    """Return a line with its rates, and one for each length of prompt from which others hold."""
    lines = [replace(line, rates=_own_kinds(price(reading)))]
    listed = vars(entry.model.get_prices(at, _terms(reading) if entry.native else {})).values()
    for start in sorted({tier.start for rate in listed for tier in getattr(rate, "tiers", ())}):
        if start >= reading.usage.total_input:
            longer = replace(reading, usage=TokenUsage(input_tokens=start + 1))
            lines.append(replace(line, above_tokens=start, rates=_own_kinds(price(longer))))
    return lines


def _variants(entry: Entry, at: datetime) -> list[tuple[str, str, date | None]]:
    """Return (key, value, start) of each variant once: with the start that holds, or the first to come."""
    found: dict[tuple[str, str], list[date | None]] = {}
    for variant in entry.model.price_variants or ():
        if len(variant.when) == 1:
            ((key, value),) = variant.when.items()
            if key in ("service_tier", "processing", "speed") and value not in ("default", "standard"):
                found.setdefault((key, value), []).append(getattr(variant.constraint, "start_date", None))
    rows: list[tuple[str, str, date | None]] = []
    for (key, value), starts in found.items():
        begun = [start for start in starts if start is None or start <= at.date()]
        dated = [start for start in (begun or starts) if start is not None]
        rows.append((key, value, (max(dated) if begun else min(dated)) if dated else None))
    return rows


def _own_kinds(rates: Rates) -> tuple[tuple[str, Decimal], ...]:
    """Return USD per million for the kinds of token that do not simply cost what another kind costs."""
    return tuple((kind, rates.per_million[chain[0]]) for kind, chain in CHAINS.items() if chain[0] in rates.per_million)


def _plain(amount: Decimal) -> str:
    text = f"{amount.normalize(EXACTLY):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
