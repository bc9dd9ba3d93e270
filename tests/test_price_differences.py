"""What the pricing benchmark says of other amounts: derived from the call, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from benchmarks._price_differences import explain
from lc_costkit.pricing import PriceBook
from lc_costkit.usage import TokenUsage, UsageReading

BOOK = PriceBook()
AT = datetime(2026, 9, 1, tzinfo=UTC)
WRITTEN = TokenUsage(input_tokens=10, cache_write_1h_tokens=1000)


@pytest.mark.parametrize(
    ("reading", "theirs", "words"),
    [
        # gpt-5: 1.25 and 10 USD per million; half of it in a batch.
        (
            UsageReading(usage=TokenUsage(input_tokens=1000), model="gpt-5", processing="batch"),
            "0.00125",
            "leaves the batch discount out",
        ),
        (
            UsageReading(usage=TokenUsage(input_tokens=1000), model="claude-opus-5", inference_geo="us"),
            "0.005",
            "knows no place of inference",
        ),
        # claude-opus-5: 5, written for five minutes 6.25, for an hour 10.
        (
            UsageReading(usage=WRITTEN, model="claude-opus-5"),
            "0.0063",
            "prices an hour's cache write as one of five minutes",
        ),
        (
            UsageReading(usage=WRITTEN, model="claude-opus-5", inference_geo="us"),
            "0.00505",
            "knows no place of inference and prices cache writes as plain input",
        ),
        (
            UsageReading(usage=TokenUsage(input_tokens=300_000), model="gpt-5.6-sol"),
            "1.2",
            "has no higher rate for long prompts",
        ),
        (UsageReading(usage=TokenUsage(input_tokens=10), model="gpt-5"), "0", "returns 0, without a word"),
        (UsageReading(usage=TokenUsage(input_tokens=10), model="gpt-5"), "0.5", "another price table"),
        (
            UsageReading(usage=TokenUsage(input_tokens=10), model="gpt-5", cached_locally=True),
            "0.0000125",
            "local cache",
        ),
        (
            UsageReading(usage=TokenUsage(input_tokens=10), model="gpt-4o", service_tier="flex"),
            "0.0000125",
            "within the bounds",
        ),
    ],
)
def test_the_misreading_is_found(reading: UsageReading, theirs: str, words: str) -> None:
    expected = BOOK.price(reading, at=AT).usd
    assert words in str(explain(BOOK, reading, AT, expected, Decimal(theirs)))


def test_an_equal_amount_needs_no_words_and_a_refusal_is_told() -> None:
    reading = UsageReading(usage=TokenUsage(input_tokens=1000), model="gpt-5")
    assert explain(BOOK, reading, AT, Decimal("0.00125"), Decimal("0.001250")) is None
    assert explain(BOOK, reading, AT, Decimal("0.00125"), "KeyError") == "has no price (KeyError)"
    unknown = UsageReading(usage=TokenUsage(input_tokens=1000), model="nobody-knows")
    assert explain(BOOK, unknown, AT, None, "LookupError") is None
    assert explain(BOOK, unknown, AT, None, Decimal(0)) == "returns 0 for a model it does not know"
