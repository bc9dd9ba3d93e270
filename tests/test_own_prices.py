"""Prices of your own: dated, by the hour, by the call; and what cannot be meant."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.discounts import Discount
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.pricing import AppliedPrice, Cost, ModelPrice, PriceBook
from lc_costkit.prompt import Prompt
from lc_costkit.usage import TokenUsage, UsageReading

USAGE = TokenUsage(input_tokens=1_000_000, output_tokens=1_000_000)
OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)


def flat(price: int, since: date | None = None, until: date | None = None) -> ModelPrice:
    return ModelPrice(input_per_million=price, output_per_million=0, since=since, until=until)


@pytest.mark.parametrize(
    ("at", "expected", "source"),
    [
        (datetime(2026, 10, 1), "3", "override since 2026-10-01 until 2026-11-01"),
        (datetime(2026, 10, 31, 23, 59), "3", "override since 2026-10-01 until 2026-11-01"),
        (datetime(2026, 11, 1), "4", "override since 2026-11-01 until 2026-12-01"),
        # Outside of the dates the price list applies: gpt-4o costs 2.50 and 10.
        (datetime(2026, 9, 30, 23, 59), "12.5", "genai-prices"),
        (datetime(2026, 12, 1), "12.5", "genai-prices"),
        # The day is that of UTC.
        (datetime(2026, 11, 1, 8, tzinfo=timezone(timedelta(hours=9))), "3", "override since 2026-10-01"),
    ],
)
def test_each_price_has_its_dates(at: datetime, expected: str, source: str) -> None:
    book = PriceBook(overrides={"gpt-4o": [flat(4, NOVEMBER, DECEMBER), flat(3, OCTOBER, NOVEMBER)]})
    for model in ("gpt-4o", "gpt-4o-2024-08-06"):
        cost = book.cost(model, USAGE, at=at)
        assert (cost.usd, cost.basis) == (Decimal(expected), "exact")
        assert cost.price is not None
        assert cost.price.source.startswith(source)


def test_open_ends_meet_where_one_ends_and_the_other_begins() -> None:
    book = PriceBook(overrides={"mine": (flat(1, until=NOVEMBER), flat(2, since=NOVEMBER))})
    assert book.cost("mine", USAGE, at=datetime(2020, 1, 1)).usd == 1
    assert book.cost("mine", USAGE, at=datetime(2030, 1, 1)).usd == 2


def test_a_gap_leaves_a_private_model_unpriced() -> None:
    book = PriceBook(overrides={"mine": [flat(1, until=OCTOBER), flat(2, since=NOVEMBER)]})
    assert book.cost("mine", USAGE, at=datetime(2026, 10, 15)).basis == "unpriced"


SPANS = st.tuples(st.none() | st.integers(0, 40), st.none() | st.integers(0, 40)).filter(
    lambda span: None in span or span[0] < span[1]  # type: ignore[operator]
)


@given(SPANS, SPANS)
def test_prices_are_refused_exactly_where_a_day_has_two(
    first: tuple[int | None, int | None], second: tuple[int | None, int | None]
) -> None:
    def dated(span: tuple[int | None, int | None]) -> ModelPrice:
        since, until = (None if day is None else date(2026, 6, 1) + timedelta(days=day) for day in span)
        return flat(1, since, until)

    prices = [dated(first), dated(second)]
    days = [date(2026, 5, 1) + timedelta(days=day) for day in range(120)]
    if any(all(price.holds_on(day) for price in prices) for day in days):
        with pytest.raises(ConfigurationError, match="hold on the same day"):
            PriceBook(overrides={"mine": prices})
    else:
        PriceBook(overrides={"mine": prices})


def test_a_model_paid_by_the_hour_costs_the_time_a_call_took() -> None:
    book = PriceBook(overrides={"llama": ModelPrice(per_hour="2.50")})
    reading = UsageReading(usage=USAGE, model="llama", provider="vllm")
    cost = book.price(reading, duration_seconds=7.2)
    assert (cost.usd, cost.basis, cost.low, cost.high) == (Decimal("0.005"), "estimated", None, None)
    assert "time the call took" in cost.reasons[0]
    assert cost.price is not None
    kept = AppliedPrice.from_dict(json.loads(json.dumps(cost.price.to_dict())))
    assert kept == cost.price
    assert (kept.per_hour, kept.seconds) == (Decimal("2.50"), Decimal("7.2"))
    assert kept.amount(USAGE) == cost.usd


def test_without_a_duration_it_is_unpriced() -> None:
    book = PriceBook(overrides={"llama": ModelPrice(per_hour="2.50")})
    for seconds in (None, float("nan"), float("inf"), 1e300):
        cost = book.price(UsageReading(usage=USAGE, model="llama"), duration_seconds=seconds)
        assert cost.basis == "unpriced"
        assert "how long the call took is not known" in cost.reasons[0]


def test_time_is_counted_in_microseconds_and_never_backwards() -> None:
    book = PriceBook(overrides={"llama": ModelPrice(per_hour=3600)})
    reading = UsageReading(usage=TokenUsage(), model="llama")
    assert book.price(reading, duration_seconds=0.000_001_4).usd == Decimal("0.000001")
    assert book.price(reading, duration_seconds=-5.0).usd == 0


def test_the_decimal_context_of_the_caller_plays_no_part() -> None:
    book = PriceBook(overrides={"llama": ModelPrice(per_hour="3.6")}, discounts=[Discount(percent="12.5")])
    with localcontext() as context:
        context.prec = 3
        timed = book.price(UsageReading(usage=USAGE, model="llama"), duration_seconds=1234.567)
        assert timed.usd == Decimal("1.234567")
        off = book.cost("gpt-5", TokenUsage(input_tokens=123_457)).usd
    # 123,457 tokens at 0.875 times 1.25 USD per million.
    assert off == Decimal("0.13503109375")


def test_time_calls_and_tokens_add_up() -> None:
    own = ModelPrice(per_hour=36, per_call="0.5", input_per_million=1, output_per_million=2)
    cost = PriceBook(overrides={"llama": own}).price(UsageReading(usage=USAGE, model="llama"), duration_seconds=100)
    assert cost.usd == Decimal(1) + Decimal("0.5") + 1 + 2


def test_a_price_by_the_call_covers_its_tokens() -> None:
    cost = PriceBook(overrides={"rerank": ModelPrice(per_call="0.002")}).cost("rerank", USAGE)
    assert (cost.usd, cost.basis) == (Decimal("0.002"), "exact")


def test_a_duration_plays_no_part_in_other_prices() -> None:
    book = PriceBook()
    reading = UsageReading(usage=TokenUsage(input_tokens=1000), model="gpt-4o-mini")
    assert book.price(reading, duration_seconds=3600).usd == book.price(reading).usd == Decimal("0.00015")


def test_the_meter_hands_the_time_over() -> None:
    with Ledger(":memory:") as ledger:
        meter = Meter(ledger, prices=PriceBook(overrides={"llama": ModelPrice(per_hour=3600)}))
        call = OpenCall(prompt=Prompt(turns=(("human", "hello"),)), started=100.0)
        reading = UsageReading(usage=TokenUsage(input_tokens=1, output_tokens=1), model="llama", provider="vllm")
        _, cost = meter.charge(call, Outcome(read=lambda: reading, ended=102.5))
    assert (cost.usd, cost.basis) == (Decimal("2.5"), "estimated")


def test_an_alias_may_name_the_provider_whose_price_it_is() -> None:
    usage = TokenUsage(input_tokens=1_000_000)
    book = PriceBook(aliases={"support-prod": "openai/gpt-4o-mini", "azure/eu": "azure/gpt-4o-mini"})
    # What somebody wrote down is not doubted: a global deployment costs what OpenAI asks.
    known = book.price(UsageReading(usage=usage, model="Support-Prod", provider="azure_openai"))
    assert (known.usd, known.basis) == (Decimal("0.15"), "exact")
    listed = book.price(UsageReading(usage=usage, model="eu", provider="azure"))
    assert (listed.usd, listed.basis) == (Decimal("0.15"), "exact")
    # Without the provider, it may be a deployment in a region.
    open_book = PriceBook(aliases={"eu": "gpt-4o-mini"})
    doubted = open_book.price(UsageReading(usage=usage, model="eu", provider="azure"))
    assert (doubted.low, doubted.high) == (Decimal("0.15"), Decimal("0.165"))
    assert book.price(UsageReading(usage=usage, model="eu", provider="openai")).usd is None


def test_a_price_may_be_given_for_the_name_an_alias_is_for() -> None:
    book = PriceBook(aliases={"prod": "gpt-4o"}, overrides={"prod": ModelPrice(per_call=1)})
    assert book.cost("prod", USAGE).usd == 1
    assert book.cost("gpt-4o", USAGE).usd == Decimal("12.5")


@pytest.mark.parametrize("written", ["azure/gpt-4o", "azure_openai/GPT-4o", "azure-openai/gpt-4o"])
@pytest.mark.parametrize("answered", ["azure", "azure_openai", "Azure_AI"])
def test_a_provider_may_be_spelled_in_any_way(written: str, answered: str) -> None:
    book = PriceBook(overrides={written: ModelPrice(per_call=1)})
    assert book.cost("gpt-4o", USAGE, provider=answered).usd == 1
    assert book.cost("gpt-4o", USAGE, provider="openai").usd == Decimal("12.5")


def test_fine_tunes_and_arns_take_a_price_by_their_whole_name() -> None:
    arn = "arn:aws:bedrock:us-east-1:1:provisioned-model/Abc"
    names = {arn: ModelPrice(per_hour=40), "tunedModels/mine": flat(1), "ft:gpt-4.1-2025-04-14:org::id": flat(3)}
    book = PriceBook(overrides=names)
    assert book.price(UsageReading(usage=USAGE, model=arn, provider="aws"), duration_seconds=90).usd == 1
    assert book.cost("tunedModels/mine", USAGE, provider="google_genai").usd == 1
    assert book.cost("ft:gpt-4.1-2025-04-14:org::id", USAGE, provider="openai").usd == 3


def test_a_book_with_dated_prices_survives_pickling() -> None:
    book = PriceBook(overrides={"mine": [flat(1, until=NOVEMBER), flat(2, since=NOVEMBER)]})
    copy: PriceBook = pickle.loads(pickle.dumps(book))  # noqa: S301
    assert copy.cost("mine", USAGE, at=datetime(2026, 11, 1, tzinfo=UTC)).usd == 2


def test_records_kept_before_prices_by_the_hour_are_read_back() -> None:
    cost: Cost = PriceBook().cost("gpt-4o", USAGE)
    assert cost.price is not None
    kept = cost.price.to_dict()
    assert "per_hour" not in kept
    assert AppliedPrice.from_dict(kept).per_hour is None


def by_the_hour(duration: Any) -> Cost:
    book = PriceBook(overrides={"mine": ModelPrice(per_hour=2)})
    return book.price(UsageReading(usage=USAGE, model="mine"), duration_seconds=duration)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ModelPrice(), "needs input_per_million, per_hour or per_call"),
        (lambda: ModelPrice(per_call=0), "needs input_per_million, per_hour or per_call"),
        (lambda: ModelPrice(output_per_million=1), "output_per_million needs input_per_million beside it"),
        (lambda: ModelPrice(per_hour=1, cache_read_per_million=1), "cache_read_per_million needs input_per_million"),
        (lambda: ModelPrice(per_hour=2.5), "per_hour must be a Decimal, int or str"),
        (lambda: ModelPrice(per_hour="-1"), "at least 0 USD"),
        (lambda: by_the_hour("3"), "duration_seconds must be a number of seconds, not '3'"),
        (lambda: by_the_hour(timedelta(seconds=3)), "duration_seconds must be a number of seconds"),
        (lambda: flat(1, since="2026-11-01"), "since must be a datetime.date"),
        (lambda: flat(1, since=datetime(2026, 11, 1)), "since must be a datetime.date"),
        (lambda: flat(1, NOVEMBER, NOVEMBER), "until=2026-11-01 must be after since=2026-11-01"),
        (lambda: PriceBook(overrides={"m": []}), "holds no ModelPrice"),
        (lambda: PriceBook(overrides={"m": [flat(1), 3]}), "must be a ModelPrice or several dated ones, not 3"),
        (lambda: PriceBook(overrides={"m": [flat(1), flat(2, since=NOVEMBER)]}), "hold on the same day"),
        (lambda: PriceBook(overrides={"m": flat(1), " M": flat(2)}), "twice, in different spellings"),
        (lambda: PriceBook(overrides={"aws/m": flat(1), "bedrock/m": flat(2)}), "twice, in different spellings"),
    ],
)
def test_bad_input_is_refused(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()
