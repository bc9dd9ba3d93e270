"""What does the fake provider charge for a call?

The table is written by hand from published prices as they stood on 2026-11-20, and shares
nothing with the prices the rest of the kit uses, so that a ledger that agrees with this
bill was checked against something.

Matched against the providers' own pages (developers.openai.com/api/docs/pricing,
platform.claude.com/docs/en/about-claude/pricing): the input price of GPT-5.6 Sol and most
rows of Terra and Luna; that from GPT-5.6 on a write costs 1.25x and that above 272,000
input tokens the long-context rates hold for the whole request; the priority rows of
GPT-4o, 4.1, 5, 5-mini and 5.1; and the Claude rows from 4.5 to 5. The other rows are
published prices as secondary sources list them; that a write kept for 12 hours costs twice
the normal one is LiteLLM's table alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

from lc_costkit.errors import ConfigurationError

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRate:
    """USD per million tokens of one model.

    A price that is None is the plain input price: the provider has no separate one.

    Raises:
        ConfigurationError: a price is not a ``Decimal`` or is negative.
    """

    input: Decimal
    output: Decimal = Decimal(0)
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    """Writes of OpenAI's models from GPT-5.6 on, and Anthropic's for 5 minutes."""
    cache_write_1h: Decimal | None = None
    cache_write_12h: Decimal | None = None
    """OpenAI's writes that are kept for 12 hours."""
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None
    """None: as other output."""
    fast: Decimal | None = None
    """Anthropic's factor on all token prices for ``speed="fast"``; a model without one refuses it."""
    tiers: Mapping[str, ModelRate] = field(default_factory=dict)
    """The rates of each ``service_tier`` the model has; a request for another is served as ``default``."""
    long_above: int | None = None
    """Input tokens above which ``long`` prices the whole request."""
    long: ModelRate | None = None
    snapshot: str | None = None
    """The dated name the provider answers with when it is asked for the plain one."""

    def __post_init__(self) -> None:
        for name in _PRICES:
            price = getattr(self, name)
            if price is None and name not in ("input", "output"):
                continue
            if not isinstance(price, Decimal) or not price.is_finite() or price < 0:
                raise ConfigurationError(
                    f"{name} must be a Decimal >= 0 (USD per million tokens), got {price!r}; write Decimal('0.15')"
                )
        for tier, rate in self.tiers.items():
            if not isinstance(rate, ModelRate):
                raise ConfigurationError(f"tiers[{tier!r}] must be a ModelRate, got {rate!r}")
        if (self.long_above is None) != (self.long is None):
            raise ConfigurationError("long_above and long go together: give both or neither")


_PRICES = (
    *("input", "output", "cache_read", "cache_write", "cache_write_1h", "cache_write_12h"),
    *("input_audio", "output_audio", "fast"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Disjoint token counts of one call, as the fake provider bills them."""

    uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    cache_write_12h: int = 0
    input_audio: int = 0
    output: int = 0
    """Includes reasoning."""
    reasoning: int = 0
    output_audio: int = 0

    @property
    def written(self) -> int:
        """All that was written to the cache, whatever its lifetime."""
        return self.cache_write + self.cache_write_1h + self.cache_write_12h

    @property
    def input(self) -> int:
        """All input tokens, cached or not."""
        return self.uncached + self.cache_read + self.written + self.input_audio

    @property
    def all_output(self) -> int:
        """All output tokens, text or not."""
        return self.output + self.output_audio


def bill(rate: ModelRate, metered: Metered, *, tier: str | None = None) -> Decimal:
    """What a call costs, in USD, to the last digit.

    >>> bill(PUBLISHED_RATES["gpt-4o-mini"], Metered(uncached=1000, output=100))
    Decimal('0.00021')
    """
    if tier is not None and tier in rate.tiers:
        return bill(rate.tiers[tier], metered)
    if rate.long is not None and rate.long_above is not None and metered.input > rate.long_above:
        return bill(rate.long, metered)
    read = rate.input if rate.cache_read is None else rate.cache_read
    write = rate.input if rate.cache_write is None else rate.cache_write
    write_1h = write if rate.cache_write_1h is None else rate.cache_write_1h
    total = (
        metered.uncached * rate.input
        + metered.cache_read * read
        + metered.cache_write * write
        + metered.cache_write_1h * write_1h
        + metered.cache_write_12h * (2 * write if rate.cache_write_12h is None else rate.cache_write_12h)
        + metered.input_audio * (rate.input if rate.input_audio is None else rate.input_audio)
        + metered.output * rate.output
        + metered.output_audio * (rate.output if rate.output_audio is None else rate.output_audio)
    )
    return total / _MILLION


def find_rate(rates: Mapping[str, ModelRate], model: str) -> ModelRate | None:
    """The rate of ``model``: by its name, or by its name without the date at the end."""
    if model in rates:
        return rates[model]
    return rates.get(_DATE.sub("", model))


_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


def checked_rates(rates: Mapping[str, ModelRate] | None) -> dict[str, ModelRate]:
    """The published table with the caller's rates on top.

    Raises:
        ConfigurationError: ``rates`` is not a mapping of model names to ``ModelRate``.
    """
    if rates is None:
        return dict(PUBLISHED_RATES)
    if not isinstance(rates, Mapping):
        raise ConfigurationError(f"rates must map model names to ModelRate, got {type(rates).__name__}")
    for model, rate in rates.items():
        if not isinstance(model, str) or not model:
            raise ConfigurationError(f"rates must have model names as keys, got {model!r}")
        if not isinstance(rate, ModelRate):
            raise ConfigurationError(
                f"rates[{model!r}] must be a ModelRate, got {rate!r}; write ModelRate(input=Decimal('0.15'), ...)"
            )
    return {**PUBLISHED_RATES, **rates}


_OPENAI_LONG_ABOVE = 272_000

_OPENAI: tuple[tuple[str, str, str, str, str | None, str, str | None], ...] = (
    # model, tier, input, cached input, cache write, output, dated name
    ("gpt-4o", "default", "2.50", "1.25", None, "10.00", "gpt-4o-2024-08-06"),
    ("gpt-4o", "priority", "4.25", "2.125", None, "17.00", None),
    ("gpt-4o-mini", "default", "0.15", "0.075", None, "0.60", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-mini", "priority", "0.25", "0.125", None, "1.00", None),
    ("gpt-4.1", "default", "2.00", "0.50", None, "8.00", "gpt-4.1-2025-04-14"),
    ("gpt-4.1", "priority", "3.50", "0.875", None, "14.00", None),
    ("gpt-4.1-mini", "default", "0.40", "0.10", None, "1.60", "gpt-4.1-mini-2025-04-14"),
    ("gpt-4.1-mini", "priority", "0.70", "0.175", None, "2.80", None),
    ("gpt-4.1-nano", "default", "0.10", "0.025", None, "0.40", "gpt-4.1-nano-2025-04-14"),
    ("gpt-4.1-nano", "priority", "0.20", "0.05", None, "0.80", None),
    ("gpt-5", "default", "1.25", "0.125", None, "10.00", "gpt-5-2025-08-07"),
    ("gpt-5", "flex", "0.625", "0.0625", None, "5.00", None),
    ("gpt-5", "priority", "2.50", "0.25", None, "20.00", None),
    ("gpt-5-mini", "default", "0.25", "0.025", None, "2.00", "gpt-5-mini-2025-08-07"),
    ("gpt-5-mini", "flex", "0.125", "0.0125", None, "1.00", None),
    ("gpt-5-mini", "priority", "0.45", "0.045", None, "3.60", None),
    ("gpt-5-nano", "default", "0.05", "0.005", None, "0.40", "gpt-5-nano-2025-08-07"),
    ("gpt-5-nano", "flex", "0.025", "0.0025", None, "0.20", None),
    ("gpt-5.1", "default", "1.25", "0.125", None, "10.00", "gpt-5.1-2025-11-13"),
    ("gpt-5.1", "flex", "0.625", "0.0625", None, "5.00", None),
    ("gpt-5.1", "priority", "2.50", "0.25", None, "20.00", None),
    ("gpt-5.6-sol", "default", "4.00", "0.40", "5.00", "20.00", None),
    ("gpt-5.6-sol", "flex", "2.00", "0.20", "2.50", "10.00", None),
    ("gpt-5.6-sol", "priority", "8.00", "0.80", "10.00", "40.00", None),
    ("gpt-5.6-terra", "default", "2.00", "0.20", "2.50", "12.00", None),
    ("gpt-5.6-terra", "flex", "1.00", "0.10", "1.25", "6.00", None),
    ("gpt-5.6-terra", "priority", "4.00", "0.40", "5.00", "24.00", None),
    ("gpt-5.6-luna", "default", "0.20", "0.02", "0.25", "1.20", None),
    ("gpt-5.6-luna", "flex", "0.10", "0.01", "0.125", "0.60", None),
    ("gpt-5.6-luna", "priority", "0.40", "0.04", "0.50", "2.40", None),
    ("gpt-6-sol", "default", "2.00", "0.20", "2.50", "10.00", None),
    ("gpt-6-sol", "flex", "1.00", "0.10", "1.25", "5.00", None),
    ("gpt-6-sol", "priority", "4.00", "0.40", "5.00", "20.00", None),
    ("gpt-6-luna", "default", "0.10", "0.01", "0.125", "0.50", None),
    ("gpt-6-luna", "flex", "0.05", "0.005", "0.0625", "0.25", None),
    ("gpt-6-luna", "priority", "0.20", "0.02", "0.25", "1.00", None),
)

_AUDIO: tuple[tuple[str, str, str, str, str, str | None], ...] = (
    # model, input, output, audio input, audio output, dated name
    ("gpt-audio", "2.50", "10.00", "32.00", "64.00", None),
)

_FAST: tuple[tuple[str, str], ...] = (
    # model, factor
    ("claude-opus-4-8", "2"),
    ("claude-opus-5", "2"),
    ("claude-opus-5-5", "2"),
)

_EMBEDDINGS: tuple[tuple[str, str], ...] = (
    ("text-embedding-3-small", "0.02"),
    ("text-embedding-3-large", "0.13"),
    ("text-embedding-ada-002", "0.10"),
)

_ANTHROPIC: tuple[tuple[str, str, str, str, str, str, str | None], ...] = (
    # model, input, 5-minute write, 1-hour write, read, output, dated name
    ("claude-opus-4-1", "15", "18.75", "30", "1.50", "75", "claude-opus-4-1-20250805"),
    ("claude-opus-4-5", "5", "6.25", "10", "0.50", "25", "claude-opus-4-5-20251101"),
    ("claude-opus-4-6", "5", "6.25", "10", "0.50", "25", None),
    ("claude-opus-4-7", "5", "6.25", "10", "0.50", "25", None),
    ("claude-opus-4-8", "5", "6.25", "10", "0.50", "25", None),
    ("claude-opus-5", "5", "6.25", "10", "0.50", "25", None),
    ("claude-opus-5-5", "4", "5", "8", "0.20", "20", None),
    ("claude-sonnet-4-5", "3", "3.75", "6", "0.30", "15", "claude-sonnet-4-5-20250929"),
    ("claude-sonnet-4-6", "3", "3.75", "6", "0.30", "15", None),
    ("claude-sonnet-5", "2", "2.50", "4", "0.20", "10", None),
    ("claude-sonnet-5-5", "2", "2.50", "4", "0.10", "10", None),
    ("claude-haiku-4-5", "1", "1.25", "2", "0.10", "5", "claude-haiku-4-5-20251001"),
    ("claude-haiku-5-5", "0.10", "0.125", "0.20", "0.01", "0.50", None),
    ("claude-3-5-haiku", "0.80", "1.00", "1.60", "0.08", "4", "claude-3-5-haiku-20241022"),
    ("claude-fable-5", "10", "12.50", "20", "1", "50", None),
    ("claude-fable-5-1", "10", "12.50", "20", "0.25", "50", None),
)

_ANTHROPIC_LONG: tuple[tuple[str, int, str, str, str, str, str], ...] = (
    # model, above how many input tokens, input, 5-minute write, 1-hour write, read, output
    ("claude-sonnet-4-5", 200_000, "6", "7.50", "12", "0.60", "22.50"),
    ("claude-haiku-5-5", 100_000, "0.50", "0.625", "1.00", "0.05", "2.50"),
)


def _openai_rates() -> dict[str, ModelRate]:
    rates: dict[str, ModelRate] = {}
    for model, tier, price, read, write, output, snapshot in _OPENAI:
        base = ModelRate(
            input=Decimal(price),
            cache_read=Decimal(read),
            cache_write=None if write is None else Decimal(write),
            output=Decimal(output),
            snapshot=snapshot,
        )
        if write is not None:
            base = replace(base, long_above=_OPENAI_LONG_ABOVE, long=_openai_long(base))
        if tier == "default":
            rates[model] = base
        else:
            rates[model] = replace(rates[model], tiers={**rates[model].tiers, tier: base})
    for model, price, output, heard, said, snapshot in _AUDIO:
        rates[model] = ModelRate(
            input=Decimal(price),
            output=Decimal(output),
            input_audio=Decimal(heard),
            output_audio=Decimal(said),
            snapshot=snapshot,
        )
    return rates


def _openai_long(rate: ModelRate) -> ModelRate:
    """Above 272,000 input tokens: inputs, cached or not, at 2x and outputs at 1.5x."""
    assert rate.cache_read is not None and rate.cache_write is not None  # noqa: S101
    return ModelRate(
        input=rate.input * 2,
        cache_read=rate.cache_read * 2,
        cache_write=rate.cache_write * 2,
        output=rate.output * Decimal("1.5"),
    )


def _anthropic_rate(price: str, write: str, write_1h: str, read: str, output: str) -> ModelRate:
    return ModelRate(
        input=Decimal(price),
        cache_write=Decimal(write),
        cache_write_1h=Decimal(write_1h),
        cache_read=Decimal(read),
        output=Decimal(output),
    )


def _anthropic_rates() -> dict[str, ModelRate]:
    rates = {row[0]: replace(_anthropic_rate(*row[1:6]), snapshot=row[6]) for row in _ANTHROPIC}
    for row in _ANTHROPIC_LONG:
        rates[row[0]] = replace(rates[row[0]], long_above=row[1], long=_anthropic_rate(*row[2:]))
    for model, factor in _FAST:
        rates[model] = replace(rates[model], fast=Decimal(factor))
    return rates


PUBLISHED_RATES: Mapping[str, ModelRate] = MappingProxyType(
    {
        **_openai_rates(),
        **{model: ModelRate(input=Decimal(price)) for model, price in _EMBEDDINGS},
        **_anthropic_rates(),
    }
)
"""The rates of each model known here, by its plain name; the module says how far each was checked."""
