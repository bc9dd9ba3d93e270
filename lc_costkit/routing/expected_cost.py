"""What is a request expected to cost at a target?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.prompt_caching import SHORTEST_SECONDS, caching_of
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.routing.text_size import quick_tokens
from lc_costkit.usage import TokenUsage, UsageReading


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCall:
    """What is known of a call before it is made.

    Attributes:
        input_tokens: all of its prompt.
        warm_tokens: how many of them the target's provider may still have in its prompt cache.
        marked_tokens: how many of them the request asks the provider to cache, from the first on.
        output_tokens: how long an answer is expected.
        seconds: how long it is expected to take, for models that are paid by the hour.
        cache_seconds: how long it asks the provider to keep what is marked.
    """

    input_tokens: int
    warm_tokens: int = 0
    marked_tokens: int = 0
    output_tokens: int
    seconds: float | None = None
    cache_seconds: float | None = None

    @classmethod
    def of(
        cls,
        request: RouteRequest,
        model: TargetModel,
        *,
        input_tokens: int,
        output_tokens: int,
        warm_share: float = 0.0,
        seconds: float | None = None,
    ) -> Self:
        """Tell of a request at a target.

        Args:
            request: what is asked.
            model: the target's.
            input_tokens: of the prompt.
            output_tokens: how long an answer is expected.
            warm_share: part of the prompt that the target's provider may have in its cache, 0 to 1. It is nothing
                where that is too short to be cached.
            seconds: how long it is expected to take.
        """
        warm = int(input_tokens * min(1.0, warm_share))
        return cls(
            input_tokens=input_tokens,
            warm_tokens=warm if caching_of(model.model).caches(warm, marked=request.cache_marked) else 0,
            marked_tokens=round(input_tokens * _marked_share(request)) if request.cache_marked else 0,
            output_tokens=output_tokens,
            seconds=seconds,
            cache_seconds=request.cache_seconds,
        )


def expected_cost(prices: PriceBook, model: TargetModel, call: ExpectedCall) -> Cost:
    """Price a call that was not made yet, at standard rates.

    What is warm is priced as cache reads, which is the input rate where the price list has none for them. Where the
    provider bills what it writes to its cache, the rest of what it caches of this request is written.

    Args:
        prices: what the call would be priced with.
        model: which model it goes to.
        call: what is known of it.
    """
    caching = caching_of(model.model)
    cached = call.marked_tokens if caching.marked else call.input_tokens
    written = max(0, cached - call.warm_tokens) if caching.bills_writes and cached >= caching.minimum_tokens else 0
    longer = call.cache_seconds is not None and call.cache_seconds > SHORTEST_SECONDS
    kind = "cache_write_tokens" if not caching.marked else f"cache_write_{'1h' if longer else '5m'}_tokens"
    counts = {
        "input_tokens": call.input_tokens - call.warm_tokens - written,
        "cache_read_tokens": call.warm_tokens,
        kind: written,
        "output_tokens": call.output_tokens,
    }
    reading = UsageReading(usage=TokenUsage.from_dict(counts), model=model.model, provider=model.provider)
    return prices.price(reading, duration_seconds=call.seconds)


def _marked_share(request: RouteRequest) -> float:
    """Return which part of a prompt stands before its last mark, 0 to 1."""
    turns = request.cache_turns
    if turns is None or turns >= len(request.turns):
        return 1.0
    sizes = [quick_tokens(turn.text) + quick_tokens(turn.calls) for turn in request.turns]
    before = quick_tokens(request.tool_text) + quick_tokens(request.system)
    return (before + sum(sizes[:turns])) / max(1, before + sum(sizes))
