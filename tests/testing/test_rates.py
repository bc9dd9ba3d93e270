"""Is the rate table right, and the arithmetic on it?"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import ModelRate
from lc_costkit.testing.rates import PUBLISHED_RATES, Metered, bill, find_rate

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
CASES = [(model, tier) for model, rate in PUBLISHED_RATES.items() for tier in (None, *rate.tiers)]
COUNTS = [
    Metered(uncached=1000, output=100),
    Metered(uncached=7, cache_read=2048, output=13),
    Metered(uncached=7, cache_read=1024, cache_write=999, output=13),
    Metered(uncached=300_000, output=1000),
    Metered(uncached=100_000, cache_read=150_000, cache_write=50_000, output=1000),
]


def second_opinion(model: str, tier: str | None, metered: Metered) -> Decimal:
    """What an independently kept price table says, which only tests may ask."""
    usage = Usage(
        input_tokens=metered.input,
        cache_read_tokens=metered.cache_read,
        cache_write_tokens=metered.cache_write + metered.cache_write_1h,
        cache_write_1h_tokens=metered.cache_write_1h,
        cache_write_5m_tokens=metered.cache_write,
        output_tokens=metered.output,
    )
    provider = "anthropic" if model.startswith("claude") else "openai"
    context = {} if tier is None else {"service_tier": tier}
    return calc_price(
        usage, model, provider_id=provider, genai_request_timestamp=AS_OF, price_context=context
    ).total_price


@pytest.mark.parametrize(("model", "tier"), CASES)
def test_the_table_agrees_with_one_kept_by_others(model: str, tier: str | None) -> None:
    rate = PUBLISHED_RATES[model]
    for metered in COUNTS:
        counts = metered
        if model.startswith("claude"):
            counts = Metered(**{**_fields(metered), "cache_write_1h": 500 if metered.cache_write else 0})
        elif rate.cache_write is None:
            counts = Metered(**{**_fields(metered), "cache_write": 0})
        if model.startswith("text-embedding"):
            counts = Metered(uncached=metered.uncached)
        assert bill(rate, counts, tier=tier) == second_opinion(model, tier, counts)


def _fields(metered: Metered) -> dict[str, int]:
    return {name: getattr(metered, name) for name in ("uncached", "cache_read", "cache_write", "output")}


def test_by_hand() -> None:
    """From the providers' pages: 10k of which 6k written and 2k read; 250k above Sonnet's 200k."""
    sol = Metered(uncached=2000, cache_read=2000, cache_write=6000, output=500)
    assert bill(PUBLISHED_RATES["gpt-5.6-sol"], sol) == Decimal("0.0488")
    assert bill(PUBLISHED_RATES["claude-sonnet-4-5"], Metered(uncached=250_000, output=1000)) == Decimal("1.5225")
    mixed = Metered(uncached=100, cache_read=10_000, cache_write=2000, cache_write_1h=3000, output=400)
    assert bill(PUBLISHED_RATES["claude-sonnet-4-5"], mixed) == Decimal("0.0348")
    at_limit = Metered(uncached=272_000)
    assert bill(PUBLISHED_RATES["gpt-5.6-sol"], at_limit) == Decimal("1.088"), "exactly at the limit is not above it"


@given(st.sampled_from(sorted(PUBLISHED_RATES)), st.lists(st.integers(0, 10_000), min_size=5, max_size=5))
def test_parts_add_up(model: str, counts: list[int]) -> None:
    names = ("uncached", "cache_read", "cache_write", "cache_write_1h", "output")
    rate = PUBLISHED_RATES[model]
    whole = bill(rate, Metered(**dict(zip(names, counts, strict=True))))
    parts = [bill(rate, Metered(**{name: count})) for name, count in zip(names, counts, strict=True)]
    assert whole == sum(parts)


def test_dated_names_find_the_plain_rate() -> None:
    for name in ("gpt-4o-2024-08-06", "gpt-4o"):
        assert find_rate(PUBLISHED_RATES, name) is PUBLISHED_RATES["gpt-4o"]
    assert find_rate(PUBLISHED_RATES, "claude-haiku-4-5-20251001") is PUBLISHED_RATES["claude-haiku-4-5"]
    assert find_rate(PUBLISHED_RATES, "claude-haiku-4-5-latest") is PUBLISHED_RATES["claude-haiku-4-5"]
    assert find_rate(PUBLISHED_RATES, "gpt-4o-audio") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": 0.15}, "input must be a Decimal"),
        ({"input": Decimal(-1)}, "input must be a Decimal >= 0"),
        ({"input": Decimal("NaN")}, "input must be a Decimal"),
        ({"input": Decimal(1), "output": None}, "output must be a Decimal"),
        ({"input": Decimal(1), "cache_read": "0.1"}, "cache_read must be a Decimal"),
        ({"input": Decimal(1), "tiers": {"flex": Decimal("0.5")}}, "must be a ModelRate"),
        ({"input": Decimal(1), "long_above": 5}, "long_above and long go together"),
    ],
)
def test_bad_rates(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ModelRate(**options)
