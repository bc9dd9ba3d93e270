"""Is a call that was not made yet priced as the provider would bill it?"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.routing import RouteRequest, TargetModel, Turn
from lc_costkit.routing.expected_cost import ExpectedCall, expected_cost
from lc_costkit.usage import TokenUsage

PRICES = PriceBook()


@pytest.mark.parametrize(
    ("model", "fields", "usage"),
    [
        ("gpt-4o", {}, {"input_tokens": 8_000}),
        ("gpt-4o", {"warm_tokens": 6_000}, {"input_tokens": 2_000, "cache_read_tokens": 6_000}),
        ("gpt-4o", {"marked_tokens": 8_000}, {"input_tokens": 8_000}),
        ("gpt-5.6", {}, {"cache_write_tokens": 8_000}),
        ("gpt-5.6", {"warm_tokens": 6_000}, {"cache_write_tokens": 2_000, "cache_read_tokens": 6_000}),
        ("gpt-5.6", {"input_tokens": 900}, {"input_tokens": 900}),
        ("claude-sonnet-4-6", {}, {"input_tokens": 8_000}),
        ("claude-sonnet-4-6", {"marked_tokens": 8_000}, {"cache_write_5m_tokens": 8_000}),
        ("claude-sonnet-4-6", {"marked_tokens": 8_000, "cache_seconds": 3_600.0}, {"cache_write_1h_tokens": 8_000}),
        ("claude-sonnet-4-6", {"marked_tokens": 900, "input_tokens": 900}, {"input_tokens": 900}),
        ("claude-sonnet-4-6", {"marked_tokens": 900}, {"input_tokens": 8_000}),
        ("claude-sonnet-4-6", {"marked_tokens": 5_000}, {"cache_write_5m_tokens": 5_000, "input_tokens": 3_000}),
        (
            "claude-sonnet-4-6",
            {"marked_tokens": 6_100, "warm_tokens": 6_000},
            {"cache_write_5m_tokens": 100, "cache_read_tokens": 6_000, "input_tokens": 1_900},
        ),
        (
            "claude-sonnet-4-6",
            {"marked_tokens": 8_000, "warm_tokens": 6_000},
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


def test_only_what_stands_before_the_last_mark_is_written() -> None:
    model, turn = TargetModel("claude-sonnet-4-6"), Turn("human", "What is it? " * 400)
    asked = RouteRequest(question="", system="Be brief. " * 480, turns=(turn, replace(turn, role="assistant"), turn))

    def marked(turns: int | None, **fields: Any) -> int:
        request = replace(asked, **{"cache_marked": True, "cache_turns": turns, **fields})
        return ExpectedCall.of(request, model, input_tokens=4_000, output_tokens=1).marked_tokens

    assert [marked(turns) for turns in (0, 1, 2, 3, None)] == [1_000, 2_000, 3_000, 4_000, 4_000]
    assert marked(3, cache_marked=False) == 0
    assert marked(0, system="") == 0


def test_a_prefix_too_short_for_the_cache_is_not_warm() -> None:
    request = RouteRequest(question="", cache_marked=True)
    for name, warm in (("gpt-4o", 1_500), ("claude-haiku-4-5", 0), ("claude-sonnet-4-6", 0), ("claude-opus-5", 1_500)):
        call = ExpectedCall.of(request, TargetModel(name), input_tokens=3_000, output_tokens=1, warm_share=0.5)
        assert call.warm_tokens == warm, name
