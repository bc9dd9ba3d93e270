"""The whole price list, beside genai-prices: every difference is one that is meant."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.usage import TokenUsage, UsageReading

BOOK = PriceBook()
DAYS = [
    datetime(*day, tzinfo=UTC) for day in ((2026, 3, 12), (2026, 9, 1), (2026, 10, 13), (2026, 11, 20), (2027, 1, 1))
]
TERMS: list[dict[str, str]] = [
    {},
    {"service_tier": "default"},
    {"service_tier": "flex"},
    {"service_tier": "priority"},
    {"service_tier": "fast"},
    {"service_tier": "flexx"},
    {"processing": "batch"},
    {"speed": "fast"},
]


def kinds_of_call(model: Any) -> Iterator[dict[str, int]]:
    yield {}
    yield {"input_tokens": 1000, "output_tokens": 100}
    yield {"input_tokens": 500, "cache_read_tokens": 400, "cache_write_5m_tokens": 100, "output_tokens": 50}
    yield {"input_tokens": 10, "cache_write_1h_tokens": 300, "output_tokens": 5, "reasoning_tokens": 4}
    yield {"input_tokens": 9, "input_audio_tokens": 50, "output_audio_tokens": 7}
    yield {"input_tokens": 9, "input_image_tokens": 50, "output_image_tokens": 7}
    listed = [item.prices for item in model.prices] if isinstance(model.prices, list) else [model.prices]
    for start in {
        tier.start for prices in listed for rate in vars(prices).values() for tier in getattr(rate, "tiers", ())
    }:
        yield {"input_tokens": start - 5, "cache_read_tokens": 5, "output_tokens": 7}
        yield {"input_tokens": start - 5, "cache_read_tokens": 6, "output_tokens": 7}


def alone(model: str, provider: str, counts: dict[str, int], at: datetime, terms: dict[str, str]) -> Any:
    """Return what genai-prices says by itself."""
    from genai_prices import Usage, calc_price

    usage = TokenUsage(**counts)
    same = {
        name: count
        for name, count in counts.items()
        if name.startswith(("cache_write_", "input_audio", "input_image", "output_audio", "output_image"))
    }
    theirs = Usage(
        input_tokens=usage.total_input,
        output_tokens=usage.total_output,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        **same,
    )
    return calc_price(theirs, model, provider_id=provider, genai_request_timestamp=at, price_context=terms or None)


def why_they_differ(cost: Cost, terms: dict[str, str]) -> str | None:
    """Return which rule of ours an exact price that differs from theirs follows."""
    notes = " ".join(cost.price.notes) if cost.price is not None else ""
    if terms.get("processing") == "batch" and "before that date" in notes:
        return "a batch before the list had it"
    if "one-hour cache writes: twice the input rate" in notes:
        return "an hour's write at twice the input rate"
    if cost.price is not None and cost.price.provider == "anthropic" and "batch: half" in notes:
        return "Anthropic's discount for a batch, which is the same for all models"
    if "free of charge" in notes:
        return "free, where theirs has no rate at all"
    return None


@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "google", "azure", "aws", "mistral", "x-ai", "groq", "deepseek"]
)
def test_an_exact_price_is_theirs_or_differs_by_a_rule(provider: str) -> None:
    from genai_prices.data_snapshot import get_snapshot

    models = next(item for item in get_snapshot().providers if item.id == provider).models
    compared = 0
    for model in models:
        days = DAYS if model.price_variants or isinstance(model.prices, list) else DAYS[3:4]
        for at in days:
            for terms in TERMS if model.price_variants else TERMS[:1] + TERMS[-3:]:
                for counts in kinds_of_call(model):
                    reading = UsageReading(usage=TokenUsage(**counts), model=model.id, provider=provider, **terms)  # type: ignore[arg-type]
                    cost = BOOK.price(reading, at=at)
                    if cost.basis != "exact":
                        assert cost.reasons
                        continue
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        theirs = alone(model.id, provider, counts, at, terms)
                    compared += 1
                    if cost.usd != theirs.total_price:
                        assert why_they_differ(cost, terms), (model.id, terms, at, counts, cost, theirs.total_price)
    assert compared > 10


def test_no_variant_is_applied_without_a_word() -> None:
    """Whatever is asked for beyond standard service leaves a note or a doubt, for every model there is."""
    from genai_prices.data_snapshot import get_snapshot

    usage = TokenUsage(input_tokens=1000)
    silent = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            for terms in TERMS[2:]:
                reading = UsageReading(usage=usage, model=model.id, provider=provider.id, **terms)  # type: ignore[arg-type]
                cost = BOOK.price(reading, at=DAYS[3])
                if cost.price is not None and not cost.reasons and not cost.price.notes:
                    silent.append((provider.id, model.id, terms))
    assert silent == []


def test_an_estimate_lies_within_its_own_bounds() -> None:
    from genai_prices.data_snapshot import get_snapshot

    for provider in get_snapshot().providers:
        for model in provider.models:
            usage = TokenUsage(input_tokens=300_000, cache_read_tokens=10, cache_write_tokens=10, output_tokens=1)
            cost = BOOK.price(UsageReading(usage=usage, model=model.id, provider=provider.id), at=DAYS[3])
            if cost.low is not None and cost.high is not None:
                assert cost.usd is not None
                assert Decimal(0) <= cost.low <= cost.usd <= cost.high
