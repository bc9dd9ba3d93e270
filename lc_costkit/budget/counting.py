"""What counts of a call that ended?

What the provider reported, if it did. An estimate counts at the most that it can be, because a
limit is a limit; and never at more than was reserved, unless the estimate itself is above it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lc_costkit.budget.budget import Budget
from lc_costkit.budget.ceiling import ceiling_of
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.parts import Part
from lc_costkit.budget.prompt_size import most_in_text
from lc_costkit.metering import Outcome
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.usage import UsageReading

FASTEST_TOKENS_A_SECOND = 256
"""Output that a model makes in a second at most, for each answer: twice what is measured of the fastest below. An
assumption. A second of it may be on the way when a stream is broken off, and as much came for each second in which
nobody read: a provider writes on while there is room in the buffers of the network."""

_STOPS_FOR = frozenset({"openai", "azure", "anthropic"})
"""Providers that stop when nobody reads a stream any more. Many do not (Bedrock, Gemini, Mistral, Groq) and bill the
whole answer: OpenRouter lists both kinds ("Streaming", stream cancellation), 2026-11."""

_SHOWS_ALL = re.compile(
    r"^(?:ft:)?(?:(?:openai|azure)/)?(?:chatgpt-4|gpt-(?:3\.?5|4)|gpt-[5-9](?!.*(?:codex|pro)).*chat)"
    r"|^(?:anthropic/)?claude-(?:instant|2|3|(?:opus|sonnet|haiku)-4)"
)
"""Models whose streams show all the text they bill, unless they are asked to think. Of others, reasoning is billed and
not shown (OpenAI's from o1 and GPT-5 on, Gemini, Grok), or not handed on by clients (DeepSeek, Qwen)."""

_NOT_TEXT = re.compile("audio|realtime|image")

_THINKS = re.compile(
    r"(?:^|[/.:-])(?:o\d|gpt-(?:[5-9]|\d\d)(?!.*chat)|gemini-(?:2\.5|[3-9])|grok-(?:[4-9]|3-mini)"
    r"|deepseek-r|magistral|qwq)"
)
"""Models that are known to bill reasoning without being asked to think (their providers' pages)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that ended, priced.

    Attributes:
        claim: what was known of it before.
        outcome: how it ended.
        reading: what it used.
        cost: what that costs.
        at: whose prices hold.
    """

    claim: Claim
    outcome: Outcome
    reading: UsageReading
    cost: Cost
    at: datetime

    @property
    def unsaid(self) -> bool:
        """Whether the provider may bill it and did not say what it used."""
        return self.outcome.billed and self.reading.estimated


def counted(budgets: Sequence[Budget], parts: Sequence[Part], ended: Ended, prices: PriceBook) -> list[int]:
    """Return what each budget counts, in its units.

    A call that was broken off counts in full, as a reservation whose lease runs out does. Only a stream of which
    something was read counts less, where the provider stops when nobody reads and the model shows all that it
    writes: with all its input, what came of the answer, and what may have been on the way. A call that came to its
    end without a word of its usage counts with its input and its answer, and in full where the model thinks.
    """
    usd, tokens = ended.cost.high, ended.reading.usage.total
    least = ended.cost.usd
    if ended.unsaid:
        output = _most_output(ended)
        if output is None:
            return [part.amount for part in parts]
        most = ceiling_of(replace(ended.claim, max_output_tokens=output, choices=1), prices, counted=True, at=ended.at)
        usd, tokens = most.usd, most.tokens
    units = []
    for budget, part in zip(budgets, parts, strict=True):
        if budget.unit == "calls":
            units.append(1)
        elif budget.unit == "tokens":
            units.append(min(tokens, part.amount) if ended.unsaid else tokens)
        elif least is None:
            # A model answered that has no price, though the one that was asked for had: what was reserved counts.
            units.append(part.amount)
        else:
            most_units = budget.in_units(least if usd is None else usd)
            units.append(max(budget.in_units(least), min(part.amount, most_units)))
    return units


def _most_output(ended: Ended) -> int | None:
    """Return the most tokens that a call whose usage is not known can be billed for; ``None`` for any number."""
    claim, outcome = ended.claim, ended.outcome
    model = (claim.model or "").lower()
    came = outcome.answer()
    if claim.thinks or _THINKS.search(model):
        return None
    if outcome.error is None:
        return most_in_text(came, claim.model)
    if not came or claim.provider not in _STOPS_FOR or not _SHOWS_ALL.search(model) or _NOT_TEXT.search(model):
        return None
    unread = math.ceil((1 + outcome.unread_seconds) * FASTEST_TOKENS_A_SECOND) * claim.choices
    return most_in_text(came, claim.model) + unread
