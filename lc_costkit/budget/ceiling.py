"""What is the most that a call can take?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from lc_costkit.budget.claim import Claim
from lc_costkit.budget.dearest import DearestRates, dearest_rates, finds_input, is_claude
from lc_costkit.budget.prompt_size import counted_tokens, most_tokens, vocabulary_known
from lc_costkit.cost import EXACTLY
from lc_costkit.pricing import PriceBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a call can take, and what that rests on.

    Attributes:
        usd: the most it can cost (USD); ``None`` where no price is known.
        tokens: the most tokens it can take, input and output of all choices.
        output_tokens: how many of them are output.
        counted: the prompt's tokens were counted; else they are bounded by its bytes.
        reasons: what was assumed, such as "max_tokens is not set; the model's limit of 16384 was used".
    """

    usd: Decimal | None
    tokens: int
    output_tokens: int
    counted: bool
    reasons: tuple[str, ...] = ()


def ceiling_of(claim: Claim, prices: PriceBook, *, counted: bool, at: datetime | None = None) -> Ceiling:
    """Return the most that a call can take.

    All input counts at the dearest rate the request can get: that of a cache write where it asks for
    one or the provider writes by itself, that of the long-context tier that so many tokens reach, that of
    the service tier it asks for. All output counts at the dearest rate of output, up to
    ``max_output_tokens``, else the model's limit.

    Three things are taken as the application's own: where no service tier is asked for, the project's
    default is the standard one; where no ``inference_geo`` is, the workspace's default is none; and the
    prompt holds all text that is sent, with tools and a schema for the answer. What a provider's own search
    finds is billed as input and cannot be known before: 8,000 tokens are held for each, and ``reasons`` says so.
    Calls that a provider makes on the way (compaction, advisors) are not in it.

    Args:
        claim: the call.
        prices: what it would be priced with.
        counted: count the prompt's tokens instead of its bytes: closer, and slower by far.
        at: when it is made; now by default, UTC if naive.
    """
    text, rates = _quick(claim, prices, at)
    reasons = rates.reasons
    found = _found(claim, rates)
    if counted:
        model = _countable(claim.model, rates.model)
        close, exact = counted_tokens(claim.prompt, model, claude=is_claude(claim.model, rates.model))
        if not exact:
            reasons = (*reasons, "the model's vocabulary is not known here; its tokens are a bound, not a count")
        text = min(text, close)
        rates = dearest_rates(claim, prices, input_tokens=text + claim.other_input_tokens + found, at=at)
    limit, reason = _output_limit(claim, rates)
    output = limit * claim.choices
    return Ceiling(
        usd=_usd(claim, rates, text + found, output),
        tokens=text + found + claim.other_input_tokens + output,
        output_tokens=output,
        counted=counted,
        reasons=reasons if reason is None else (*reasons, reason),
    )


def _quick(claim: Claim, prices: PriceBook, at: datetime | None) -> tuple[int, DearestRates]:
    """Return the bound by bytes, and the rates for so many tokens."""
    claude = is_claude(claim.model)
    text = most_tokens(claim.prompt, claude=claude)
    rates = dearest_rates(claim, prices, input_tokens=text + claim.other_input_tokens, at=at)
    if claim.prompt.tools and not claude and is_claude(rates.model):
        # An alias hid that it is one.
        text = most_tokens(claim.prompt, claude=True)
        rates = dearest_rates(claim, prices, input_tokens=text + claim.other_input_tokens, at=at)
    if found := _found(claim, rates):
        rates = dearest_rates(claim, prices, input_tokens=text + claim.other_input_tokens + found, at=at)
    return text, rates


def _found(claim: Claim, rates: DearestRates) -> int:
    """Return the tokens held for what the provider's own searches find."""
    if not claim.paid_tools:
        return 0
    return rates.found_tokens * sum(count for tool, count in claim.paid_tools.items() if finds_input(tool))


def _countable(asked: str | None, priced_as: str | None) -> str | None:
    """Return which name tells the vocabulary; an alias does not."""
    return asked if priced_as is None or vocabulary_known(asked) else priced_as


def _output_limit(claim: Claim, rates: DearestRates) -> tuple[int, str | None]:
    if claim.max_output_tokens is not None:
        return claim.max_output_tokens, None
    if claim.output_limit is not None:
        return claim.output_limit, f"max_tokens is not set; the model's limit of {claim.output_limit} was used"
    return rates.output_limit, f"max_tokens is not set; {rates.limit_reason}"


def _usd(claim: Claim, rates: DearestRates, text: int, output: int) -> Decimal | None:
    if rates.model is None or (rates.per_output_token is None and output):
        return None
    with localcontext(EXACTLY):
        usd = rates.fixed + text * rates.per_text_token + claim.other_input_tokens * rates.per_other_token
        if rates.per_output_token is not None:
            usd += output * rates.per_output_token
        for tool, price in rates.per_request:
            usd += claim.paid_tools[tool] * price
        return usd
