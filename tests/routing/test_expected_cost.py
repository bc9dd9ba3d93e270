"""Is a call that was not made yet priced as the provider would bill it?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.routing import TargetModel
from lc_costkit.routing.expected_cost import ExpectedCall, expected_cost
from lc_costkit.usage import TokenUsage

PRICES = PriceBook()


@pytest.mark.parametrize(
    ("model", "fields", "usage"),
    [
        ("gpt-4o", {}, {"input_tokens": 8_000}),
        ("gpt-4o", {"warm_tokens": 6_000}, {"input_tokens": 2_000, "cache_read_tokens": 6_000}),
        ("gpt-4o", {"cache_marked": True}, {"input_tokens": 8_000}),
        ("gpt-5.6", {}, {"cache_write_tokens": 8_000}),
        ("gpt-5.6", {"warm_tokens": 6_000}, {"cache_write_tokens": 2_000, "cache_read_tokens": 6_000}),
        ("gpt-5.6", {"input_tokens": 900}, {"input_tokens": 900}),
        ("claude-sonnet-4-6", {}, {"input_tokens": 8_000}),
        ("claude-sonnet-4-6", {"cache_marked": True}, {"cache_write_5m_tokens": 8_000}),
        ("claude-sonnet-4-6", {"cache_marked": True, "cache_seconds": 3_600.0}, {"cache_write_1h_tokens": 8_000}),
        ("claude-sonnet-4-6", {"cache_marked": True, "input_tokens": 900}, {"input_tokens": 900}),
        (
            "claude-sonnet-4-6",
            {"cache_marked": True, "warm_tokens": 6_000},
            {"cache_write_5m_tokens": 2_000, "cache_read_tokens": 6_000},
        ),
    ],
)
def test_input_is_read_written_or_plain(model: str, fields: dict[str, Any], usage: dict[str, int]) -> None:
    call = ExpectedCall(**{"input_tokens": 8_000, "output_tokens": 100, **fields})
    expected = PRICES.cost(model, TokenUsage.from_dict({**usage, "output_tokens": 100}))
    assert expected.usd is not None
    assert expected_cost(PRICES, TargetModel(model), call).usd == expected.usd


def test_time_is_paid_where_a_model_is_paid_by_the_hour() -> None:
    prices = PriceBook(overrides={"llama": ModelPrice(per_hour="3.60")})
    model = TargetModel("llama")
    assert expected_cost(prices, model, ExpectedCall(input_tokens=9, output_tokens=9, seconds=2.0)).usd == Decimal(
        "0.002"
    )
    assert expected_cost(prices, model, ExpectedCall(input_tokens=9, output_tokens=9)).usd is None


def test_a_model_without_a_price_or_a_name_has_none() -> None:
    for model in (TargetModel("my-own-llm"), TargetModel()):
        cost = expected_cost(PRICES, model, ExpectedCall(input_tokens=9, output_tokens=9))
        assert cost.usd is None
        assert cost.reasons
