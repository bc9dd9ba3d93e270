"""What do the tests of the fake provider share?"""

from __future__ import annotations

from decimal import Decimal

from lc_costkit.testing import FakeProvider
from lc_costkit.tokens import TokenCounter

MILLION = Decimal(1_000_000)


def words(tokens: int, word: str = "apple") -> str:
    """A text of exactly ``tokens`` tokens."""
    text = " ".join([word] * tokens)
    assert TokenCounter("gpt-4o").count(text) == tokens
    return text


def hello_world() -> FakeProvider:
    """A provider whose every answer is two tokens long."""
    return FakeProvider(answer=lambda request: "Hello world")
