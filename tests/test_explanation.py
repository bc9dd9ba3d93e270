"""Explanations of prices: what applies, from where, and what to do where nothing does."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.discounts import Discount
from lc_costkit.errors import ConfigurationError
from lc_costkit.explanation import PriceExplanation
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.usage import TokenUsage, UsageReading

AT = datetime(2026, 11, 20)
BOOK = PriceBook()


def rates(explanation: PriceExplanation, title: str) -> dict[str, Decimal]:
    return next(dict(line.rates) for line in explanation.lines if line.title == title)


def test_it_shows_rates_long_prompts_and_variants_with_their_dates() -> None:
    found = BOOK.explain("gpt-5.6-sol-2026-05-01", at=AT)
    assert (found.model, found.provider, found.found) == ("gpt-5.6-sol", "openai", True)
    assert found.source is not None
    assert found.source.startswith("genai-prices ")
    assert rates(found, "standard") == {
        "input_tokens": Decimal(4),
        "cache_read_tokens": Decimal("0.4"),
        "cache_write_tokens": Decimal(5),
        "output_tokens": Decimal(20),
    }
    assert rates(found, "standard, over 272,000 tokens")["output_tokens"] == 30
    assert rates(found, "service_tier priority, since 2026-10-12")["input_tokens"] == 8
    assert rates(found, "processing batch, over 272,000 tokens, since 2026-10-14")["input_tokens"] == 4
    assert dict(found.requests)["web_search"] == Decimal("0.01")


def test_a_variant_that_is_still_to_come_has_a_date_and_no_rates() -> None:
    found = BOOK.explain("gpt-5", at=datetime(2026, 10, 13))
    line = next(line for line in found.lines if line.name == "processing batch")
    assert (line.in_force, line.since, line.rates) == (False, date(2026, 10, 14), ())
    assert "processing batch, from 2026-10-14" in repr(found)


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        ("gpt-5", {}),
        ("gpt-5", {"service_tier": "flex"}),
        ("gpt-5", {"processing": "batch"}),
        ("claude-opus-5", {"inference_geo": "us", "speed": "fast"}),
        ("gemini-2.5-pro", {"input_tokens": 200_001}),
        ("claude-opus-5", {"provider": "google_vertexai"}),
    ],
)
def test_the_first_line_is_what_such_a_call_is_billed_at(model: str, terms: dict[str, Any]) -> None:
    found = BOOK.explain(model, at=AT, **terms)
    length = terms.pop("input_tokens", 1)
    cost = BOOK.price(UsageReading(usage=TokenUsage(input_tokens=length), model=model, **terms), at=AT)
    assert cost.price is not None
    assert dict(found.lines[0].rates)["input_tokens"] == dict(cost.price.rates)["input_tokens"]
    assert found.doubts == cost.reasons
    assert found.notes == cost.price.notes


def test_prices_to_come_and_prices_by_the_hour_are_told() -> None:
    argon = BOOK.explain("gemini-4-argon", at=AT)
    assert rates(argon, "standard, from 2026-12-01")["input_tokens"] == 4
    assert "from 2026-12-01" not in repr(BOOK.explain("gemini-4-argon", at=datetime(2026, 12, 1)))
    assert "note: other rates from 01:00 to 04:00 and from 06:00 to 10:00 UTC" in repr(BOOK.explain("deepseek-v4-pro"))


def test_a_price_of_your_own() -> None:
    turn = date(2026, 11, 1)
    prices = [ModelPrice(input_per_million=1, until=turn), ModelPrice(per_hour="2.50", since=turn)]
    book = PriceBook(overrides={"llama": prices})
    before, after = book.explain("Llama", at=datetime(2026, 10, 1)), book.explain("llama", at=AT)
    assert (before.source, rates(before, "your price")) == ("override until 2026-11-01", {"input_tokens": Decimal(1)})
    assert (after.source, after.per_hour, after.lines) == ("override since 2026-11-01", Decimal("2.50"), ())
    assert "each hour: 2.5 USD" in repr(after)
    assert "your prices: override until 2026-11-01; override since 2026-11-01" in repr(after)


def test_discounts_and_aliases_are_shown() -> None:
    book = PriceBook(discounts=[Discount(percent=10, provider="openai")], aliases={"prod": "openai/gpt-5"})
    found = book.explain("prod", provider="azure", at=AT)
    assert (found.asked, found.model) == ("prod", "gpt-5")
    assert rates(found, "standard")["input_tokens"] == Decimal("1.125")
    assert "note: discount of 10 % on token rates (openai)" in found.remarks()


def test_an_unknown_model_gets_near_names_and_advice() -> None:
    found = BOOK.explain("gpt-4o-mni", at=AT)
    assert not found.found
    assert found.near[0] == "openai/gpt-4o-mini"
    text = repr(found)
    assert "no price is known; its calls are unpriced, not free" in text
    assert 'aliases={"gpt-4o-mni"' in text
    assert 'overrides={"gpt-4o-mni"' in text
    assert BOOK.explain("qqqqqqqqqqqq").near == ()


def test_it_can_be_kept_and_shown() -> None:
    found = BOOK.explain("claude-opus-5", at=AT)
    kept = json.loads(json.dumps(found.to_dict()))
    assert kept["lines"][0]["usd_per_million"]["input_tokens"] == "5"
    assert kept["found"] is True
    html = BOOK.explain("<script>")._repr_html_()
    assert "<script>" not in html
    assert "<td>standard</td><td>5</td>" in found._repr_html_()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a model name must be text"):
        BOOK.explain(" ")
    with pytest.raises(ConfigurationError, match="input_tokens must be at least 0"):
        BOOK.explain("gpt-5", input_tokens=-1)


def test_a_doubt_says_how_far_it_goes() -> None:
    moving = BOOK.explain("mistral-large-latest", at=AT)
    assert moving.bounds == (Decimal("0.25"), Decimal(1))
    assert "doubt: 0.25 to 1 times these rates are billed" in moving.remarks()
    assert moving.to_dict()["bounds"] == ["0.25", "1"]
    unbounded = BOOK.explain("gpt-5", service_tier="flexx", at=AT)
    assert unbounded.bounds is None
    for other in (unbounded, BOOK.explain("gpt-5", at=AT)):
        assert "times these rates" not in repr(other)
