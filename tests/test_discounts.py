"""Negotiated discounts: on what, when, and which of several."""

from __future__ import annotations

import json
import pickle
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.discounts import Discount
from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import AppliedPrice, ModelPrice, PriceBook
from lc_costkit.usage import TokenUsage, UsageReading

AT = datetime(2026, 11, 20)
USAGE = TokenUsage(input_tokens=1_000_000)


def cost_of(*discounts: Discount, model: str = "gpt-5", at: datetime = AT, **terms: Any) -> Decimal | None:
    reading = UsageReading(usage=USAGE, model=model, **terms)
    return PriceBook(discounts=discounts).price(reading, at=at).usd


def test_it_takes_its_share_off_every_rate_per_token_and_off_nothing_else() -> None:
    book = PriceBook(discounts=[Discount(percent="15")])
    usage = TokenUsage(
        input_tokens=1000,
        cache_read_tokens=1000,
        cache_write_1h_tokens=1000,
        output_tokens=1000,
        reasoning_tokens=400,
        tool_requests=(("web_search", 3),),
    )
    cost = book.cost("claude-sonnet-4-6", usage, at=AT)
    # 0.85 * (3 + 0.30 + 6 + 15) per thousand tokens, and three searches at 0.01.
    assert (cost.usd, cost.basis) == (Decimal("0.85") * Decimal("0.0243") + Decimal("0.03"), "exact")
    assert cost.price is not None
    assert cost.price.notes == ("discount of 15 % on token rates",)
    assert dict(cost.price.rates)["input_tokens"] == Decimal("2.55")


def test_the_rates_kept_are_the_discounted_ones() -> None:
    price = PriceBook(discounts=[Discount(percent="12.5")]).cost("gpt-5", USAGE, at=AT).price
    assert price is not None
    kept = AppliedPrice.from_dict(json.loads(json.dumps(price.to_dict())))
    assert kept.amount(USAGE) == Decimal("1.09375")


def test_it_comes_on_top_of_tiers_batches_long_prompts_and_places() -> None:
    tenth = Discount(percent=10)
    assert cost_of(tenth, service_tier="flex") == Decimal("0.9") * Decimal("0.625")
    assert cost_of(tenth, processing="batch") == Decimal("0.9") * Decimal("0.625")
    assert cost_of(tenth, model="gpt-5.6-sol") == Decimal("0.9") * 8
    assert cost_of(tenth, model="claude-opus-5", inference_geo="us") == Decimal("0.9") * Decimal("5.5")


def test_bounds_are_discounted_too() -> None:
    book = PriceBook(discounts=[Discount(percent=50)])
    cost = book.cost("claude-sonnet-4-6", TokenUsage(cache_write_tokens=1000), at=AT)
    assert (cost.low, cost.high) == (Decimal("0.001875"), Decimal("0.003"))


def test_prices_of_your_own_are_left_alone() -> None:
    book = PriceBook(discounts=[Discount(percent=50)], overrides={"gpt-5": ModelPrice(input_per_million=1)})
    cost = book.cost("gpt-5", USAGE)
    assert cost.usd == 1
    assert cost.price is not None
    assert cost.price.notes == ()


@pytest.mark.parametrize(
    ("discount", "model", "provider", "holds"),
    [
        (Discount(percent=50, provider="openai"), "gpt-5", None, True),
        (Discount(percent=50, provider="openai"), "gpt-5", "azure", False),
        (Discount(percent=50, provider="azure_openai"), "gpt-5", "azure", True),
        (Discount(percent=50, provider="anthropic"), "gpt-5", None, False),
        (Discount(percent=50, models="gpt-5*"), "gpt-5-2025-08-07", None, True),
        (Discount(percent=50, models="GPT-5*"), "gpt-5", None, True),
        (Discount(percent=50, models="gpt-4*"), "gpt-5", None, False),
        # A name in the list holds for its dated versions, and a pattern for the name as answered.
        (Discount(percent=50, models="gpt-5"), "gpt-5-2025-08-07", None, True),
        (Discount(percent=50, models="*-2025-08-07"), "gpt-5-2025-08-07", None, True),
        (Discount(percent=50, models="gpt-5"), "openai/gpt-5", None, True),
        (Discount(percent=50, models="gpt-5"), "gpt-5-mini", None, False),
    ],
)
def test_for_which_calls_it_holds(discount: Discount, model: str, provider: str | None, holds: bool) -> None:
    full, halved = (
        PriceBook(discounts=given).cost(model, USAGE, provider=provider, at=AT).usd for given in ((), (discount,))
    )
    assert full is not None
    assert halved == (full / 2 if holds else full)


def test_its_dates() -> None:
    discount = Discount(percent=20, since=date(2026, 10, 1), until=date(2026, 11, 1))
    days = [datetime(2026, 9, 30, 23, 59), datetime(2026, 10, 1), datetime(2026, 10, 31, 23, 59), datetime(2026, 11, 1)]
    assert [cost_of(discount, at=day) for day in days] == [Decimal(rate) for rate in ("1.25", "1", "1", "1.25")]


def test_the_most_specific_one_is_taken_and_they_never_add_up() -> None:
    general = Discount(percent=40)
    ours = Discount(percent=30, provider="openai")
    fives = Discount(percent=20, models="gpt-5*")
    fives_here = Discount(percent=15, provider="openai", models="gpt-5*")
    exactly = Discount(percent=10, models="gpt-5")
    given = [general, ours, fives, fives_here, exactly]
    rates = []
    while given:
        rates.append(cost_of(*given))
        given.pop()
    assert rates == [Decimal("1.25") * (100 - percent) / 100 for percent in (10, 15, 20, 30, 40)]


@given(st.permutations([Discount(percent=40), Discount(percent=5, models="*-5"), Discount(percent=9, models="gp*")]))
def test_the_order_in_which_they_are_given_plays_no_part(discounts: list[Discount]) -> None:
    # Two patterns with as many letters: the smaller discount.
    assert cost_of(*discounts) == Decimal("1.25") * Decimal("0.95")


def test_a_hundred_per_cent_leaves_nothing_to_pay() -> None:
    assert cost_of(Discount(percent=100)) == 0


def test_a_book_with_discounts_survives_pickling() -> None:
    book = pickle.loads(pickle.dumps(PriceBook(discounts=[Discount(percent=50)])))  # noqa: S301
    assert book.cost("gpt-5", USAGE, at=AT).usd == Decimal("0.625")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Discount(percent=0.15), "percent must be a Decimal, int or str"),
        (lambda: Discount(percent="a lot"), "percent is no number"),
        (lambda: Discount(percent=0), "above 0 and at most 100"),
        (lambda: Discount(percent=101), "above 0 and at most 100"),
        (lambda: Discount(percent="NaN"), "above 0 and at most 100"),
        (lambda: Discount(percent=5, models=" "), "models of a Discount must be text"),
        (lambda: Discount(percent=5, provider=3), "provider of a Discount must be text"),
        (lambda: Discount(percent=5, since=date(2026, 1, 2), until=date(2026, 1, 1)), "must be after"),
        (lambda: PriceBook(discounts=None), r"discounts must be some Discount\(...\), not None"),
        (lambda: PriceBook(discounts=[5]), r"discounts must hold Discount\(...\), not 5"),
        (lambda: PriceBook(discounts=[Discount(percent=5), Discount(percent=6)]), "two discounts hold for the same"),
        (
            lambda: PriceBook(discounts=[Discount(percent=5, provider="bedrock"), Discount(percent=6, provider="aws")]),
            "two discounts hold for the same",
        ),
    ],
)
def test_bad_input_is_refused(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()


def test_one_may_follow_another() -> None:
    turn = date(2026, 11, 1)
    book = PriceBook(discounts=[Discount(percent=20, until=turn), Discount(percent=40, since=turn)])
    assert book.cost("gpt-5", USAGE, at=datetime(2026, 10, 31)).usd == 1
    assert book.cost("gpt-5", USAGE, at=datetime(2026, 11, 1)).usd == Decimal("0.75")
