"""What is a request expected to cost at a target?"""

from __future__ import annotations

from dataclasses import dataclass

from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.routing.prompt_caching import SHORTEST_SECONDS, caching_of
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.usage import TokenUsage, UsageReading


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCall:
    """What is known of a call before it is made.

    Attributes:
        input_tokens: all of its prompt.
        warm_tokens: how many of them the target's provider may still have in its prompt cache.
        output_tokens: how long an answer is expected.
        seconds: how long it is expected to take, for models that are paid by the hour.
        cache_marked: the request asks its provider to cache parts of it.
        cache_seconds: how long it asks the provider to keep them.
    """

    input_tokens: int
    warm_tokens: int = 0
    output_tokens: int
    seconds: float | None = None
    cache_marked: bool = False
    cache_seconds: float | None = None


def expected_cost(prices: PriceBook, model: TargetModel, call: ExpectedCall) -> Cost:
    """Price a call that was not made yet, at standard rates.

    What is warm is priced as cache reads, which is the input rate where the price list has none for them. Where the
    provider bills what it writes to its cache, and does so for this request, the rest of the prompt is written.

    Args:
        prices: what the call would be priced with.
        model: which model it goes to.
        call: what is known of it.
    """
    caching = caching_of(model.model)
    cold = call.input_tokens - call.warm_tokens
    kind = "input_tokens"
    if (
        caching.bills_writes
        and call.input_tokens >= caching.minimum_tokens
        and (call.cache_marked or not caching.marked)
    ):
        longer = call.cache_seconds is not None and call.cache_seconds > SHORTEST_SECONDS
        kind = "cache_write_tokens" if not caching.marked else f"cache_write_{'1h' if longer else '5m'}_tokens"
    counts = {"cache_read_tokens": call.warm_tokens, "output_tokens": call.output_tokens, kind: cold}
    usage = TokenUsage.from_dict(counts)
    reading = UsageReading(usage=usage, model=model.model, provider=model.provider)
    return prices.price(reading, duration_seconds=call.seconds)
