"""What is the dearest rate that a call can get?

Found by asking ``PriceBook.price`` what calls would cost that are all of one kind (all
input written to the prompt cache, all output reasoning, ...): nothing is priced in two
places. What comes out is kept for a minute of prices, because it is needed before every call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from typing import Any
from weakref import WeakKeyDictionary

from lc_costkit.budget.claim import Claim
from lc_costkit.budget.output_limits import UNKNOWN_OUTPUT_LIMIT, output_limit
from lc_costkit.catalog import Catalog
from lc_costkit.cost import AppliedPrice, Cost
from lc_costkit.pricing import PriceBook
from lc_costkit.rates import unusual
from lc_costkit.usage import TokenUsage, UsageReading

LONG_ABOVE = (32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288)
"""Input tokens above which some model of the price list costs more, throughout; a test compares. A call is priced
as one at the next of these: where the list has another, the ceiling is higher than it must be, never lower."""

_BEYOND = 100_000_000
"""Input tokens that no model takes."""

LONGEST_CALL_SECONDS = 600
"""How long a call to a model that is paid by the hour takes at most: openai's and anthropic's clients wait as long."""

FOUND_TOKENS = 8_000
"""Input tokens held for what one search of a provider's own finds: the block that OpenAI bills gpt-4o-mini and
gpt-4.1-mini for each (its pricing page); nobody says how many it can be with other models. Google bills none."""

_UPWARDS = Context(prec=60, rounding=ROUND_CEILING)
_MANY = 1_000_000

_LONG_RETENTION = "12h"
"""The longer life of OpenAI's cache writes, at a price that no list has; ``UsageReading.open_terms`` says more."""

_OUTPUT_KINDS = (
    TokenUsage(output_tokens=_MANY),
    TokenUsage(output_tokens=_MANY, reasoning_tokens=_MANY),
    TokenUsage(output_audio_tokens=_MANY),
    TokenUsage(output_image_tokens=_MANY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DearestRates:
    """The most that each part of a call can cost, in USD.

    Attributes:
        model: the model of the price list, or of the user's own prices; ``None`` for an unpriced one.
        fixed: the call as such.
        per_text_token: one token of text input.
        per_other_token: one token of an image, of audio or of a file.
        per_output_token: one token of output, reasoning included; ``None`` where output has no price.
        per_request: one request of each paid tool.
        found_tokens: input tokens held for what a request of a searching tool finds.
        output_limit: the most tokens that the model can answer with.
        limit_reason: where that is from.
        reasons: what was assumed.
    """

    model: str | None
    fixed: Decimal = Decimal(0)
    per_text_token: Decimal = Decimal(0)
    per_other_token: Decimal = Decimal(0)
    per_output_token: Decimal | None = None
    per_request: tuple[tuple[str, Decimal], ...] = ()
    found_tokens: int = 0
    output_limit: int = UNKNOWN_OUTPUT_LIMIT
    limit_reason: str = ""
    reasons: tuple[str, ...] = ()


def dearest_rates(claim: Claim, prices: PriceBook, *, input_tokens: int, at: datetime | None) -> DearestRates:
    """Return the dearest rates for a call of so many input tokens, made at ``at`` (now by default, UTC if naive)."""
    moment = datetime.now(UTC) if at is None else at
    step = bisect_left(LONG_ABOVE, input_tokens)
    asked = (
        claim.model or "",
        claim.provider,
        claim.service_tier,
        claim.processing,
        claim.speed,
        claim.inference_geo,
        claim.cache_ttl,
        tuple(claim.paid_tools) if claim.paid_tools else (),
        LONG_ABOVE[step] if step < len(LONG_ABOVE) else _BEYOND,
        # Prices change on the minute at the earliest (off-peak hours).
        moment.replace(second=0, microsecond=0),
    )
    known = _KNOWN.setdefault(prices, {})
    found = known.get(asked)
    if found is None:
        if len(known) >= _KNOWN_LIMIT:
            known.clear()
        found = known[asked] = _found(prices, *asked)
    return found


# State of the process: threads that look up the same at once both find it. A book of prices that is given up takes
# its rates along.
_KNOWN: WeakKeyDictionary[PriceBook, dict[tuple[Any, ...], DearestRates]] = WeakKeyDictionary()
_KNOWN_LIMIT = 1024


def _found(
    prices: PriceBook,
    model: str,
    provider: str | None,
    service_tier: str | None,
    processing: str | None,
    speed: str | None,
    inference_geo: str | None,
    cache_ttl: str | None,
    tools: tuple[str, ...],
    input_tokens: int,
    at: datetime,
) -> DearestRates:
    reading = UsageReading(
        usage=TokenUsage(input_tokens=input_tokens),
        model=model,
        provider=provider,
        service_tier=service_tier,
        processing=processing,
        speed=speed,
        inference_geo=inference_geo,
    )

    def priced(usage: TokenUsage, terms: UsageReading = reading) -> Cost:
        return prices.price(replace(terms, usage=usage), at=at, duration_seconds=LONGEST_CALL_SECONDS)

    def most(usage: TokenUsage) -> Decimal | None:
        costs = [priced(usage, terms) for terms in variants]
        return max((amount for cost in costs if (amount := _top(cost)) is not None), default=None)

    plain = priced(reading.usage)
    claude = is_claude(model, plain.price.model if plain.price else None)
    variants = tuple(_variants(reading, claude=claude))
    fixed = most(TokenUsage())
    if plain.price is None or fixed is None:
        limit, why = _limit(model, provider, None)
        unpriced = plain.reasons if model else ("nobody says which model is asked",)
        return DearestRates(model=None, output_limit=limit, limit_reason=why, reasons=unpriced)

    # Some models search at each call, which no report says.
    least = priced(TokenUsage(input_tokens=1))
    if least.usd is not None and least.high is not None:
        fixed += least.high - least.usd

    def per_input_token(*kinds: str) -> Decimal:
        amounts = [most(TokenUsage.from_dict({kind: input_tokens})) for kind in kinds]
        return max((amount - fixed for amount in amounts if amount is not None), default=Decimal(0)) / input_tokens

    with localcontext(_UPWARDS):
        input_only = most(reading.usage) or fixed
        written = priced(TokenUsage(cache_write_tokens=input_tokens))
        # Where the list has no rate for writes, nobody is known to write without being asked.
        writes_itself = not claude and (written.usd or 0) > (plain.usd or 0)
        text = per_input_token(*_text_kinds(cache_ttl, writes_itself=writes_itself))
        if writes_itself and cache_ttl == _LONG_RETENTION:
            kept = replace(reading, open_terms=(("cache_retention", cache_ttl),))
            once, longer = (_top(priced(TokenUsage(cache_write_tokens=1), terms)) for terms in (reading, kept))
            text = text * longer / once if longer and once else text
        other = per_input_token("input_audio_tokens", "input_image_tokens")
        outputs = [amount - input_only for kind in _OUTPUT_KINDS if (amount := most(reading.usage + kind)) is not None]
        requests = tuple(
            (tool, (most(reading.usage + TokenUsage(tool_requests=((tool, 1),))) or input_only) - input_only)
            for tool in tools
        )
        per_output = max(outputs) / _MANY if outputs else None
    limit, why = _limit(model, provider, plain.price)
    if per_output is None and not plain.price.source.startswith("override"):
        limit, why, per_output = 0, "the price list has no price for output of this model: none is billed", Decimal(0)
    return DearestRates(
        model=plain.price.model,
        fixed=fixed,
        per_text_token=text,
        per_other_token=max(text, other),
        per_output_token=per_output,
        per_request=requests,
        found_tokens=0 if "gemini" in plain.price.model else FOUND_TOKENS,
        output_limit=limit,
        limit_reason=why,
        reasons=_reasons(plain, {tool: priced(TokenUsage(tool_requests=((tool, 1),))) for tool in tools}),
    )


def is_claude(*names: str | None) -> bool:
    """Tell whether one of the names is a model of Anthropic's, wherever it runs."""
    return any("claude" in name.lower() for name in names if name)


def finds_input(tool: str) -> bool:
    """Tell whether a paid tool brings text into the prompt."""
    return "search" in tool


def _variants(reading: UsageReading, *, claude: bool) -> Iterator[UsageReading]:
    """Yield the terms on which a call may be billed that asks for these."""
    asked = unusual(reading)
    yield reading
    if claude and (reading.service_tier or "").strip().lower() == "auto":
        # Streams do not say whether it was given.
        yield replace(reading, service_tier="priority")
    if len(asked) > 1:
        # The price list says nothing of several at once: the dearest by itself is what is known.
        for key in asked:
            others: dict[str, Any] = dict.fromkeys(other for other in asked if other != key)
            yield replace(reading, **others)


def _top(cost: Cost) -> Decimal | None:
    return cost.usd if cost.high is None else cost.high


def _text_kinds(cache_ttl: str | None, *, writes_itself: bool) -> tuple[str, ...]:
    """Return as what text input may be billed: Claude writes on request only, OpenAI from GPT-5.6 on without one."""
    kinds: tuple[str, ...] = ("input_tokens", "cache_read_tokens")
    if cache_ttl in ("5m", "1h"):
        kinds += ("cache_write_5m_tokens",)
    if cache_ttl == "1h":
        kinds += ("cache_write_1h_tokens",)
    if writes_itself or cache_ttl not in (None, "5m", "1h"):
        kinds += ("cache_write_tokens",)
    return kinds


def _limit(model: str, provider: str | None, price: AppliedPrice | None) -> tuple[int, str]:
    """Return the most tokens of an answer, and where that is from."""
    for name, by in [(model, provider), *([(price.model, price.provider)] if price else [])]:
        found = output_limit(name, by) if name else None
        if found is not None:
            return found, f"the model's limit of {found} was used"
    window = _context_window(price)
    if window is not None:
        return window, f"its limit is not known; the whole context window of {window} was used"
    return (
        UNKNOWN_OUTPUT_LIMIT,
        f"neither its limit nor its context window is known; {UNKNOWN_OUTPUT_LIMIT} was assumed",
    )


def _context_window(price: AppliedPrice | None) -> int | None:
    if price is None or price.provider is None:
        return None
    entry = Catalog().find(price.model, price.provider)
    return entry.model.context_window if entry is not None else None


def _reasons(plain: Cost, by_tool: Mapping[str, Cost]) -> tuple[str, ...]:
    reasons = list(plain.reasons)
    for tool, cost in by_tool.items():
        reasons += cost.reasons
        if finds_input(tool) and plain.price is not None and "gemini" not in plain.price.model:
            reasons.append(f"what {tool} finds is billed as input; {FOUND_TOKENS} tokens are held for each request")
    if plain.price is not None and plain.price.per_hour is not None:
        reasons.append(f"paid by the hour; the call is taken to last at most {LONGEST_CALL_SECONDS} seconds")
    return tuple(dict.fromkeys(reasons))
