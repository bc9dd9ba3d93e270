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
from lc_costkit.metering import Outcome
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.usage import UsageReading

UNSEEN_TOKENS = 256
"""Output that a provider may have made of a stream that was broken off and that nobody read: about two seconds of a
fast model, with what lies in buffers on the way. An assumption."""

UNSEEN_FACTOR = 1.25
"""The same for what was read and counted, where the model's vocabulary is not known (see ``prompt_size``)."""

_THINKS_UNSEEN = re.compile(r"(^|[/.:-])(o\d|gpt-(?:[5-9]|\d\d)(?!.*chat)|gemini-(?:2\.5|[3-9])|grok-(?:[4-9]|3-mini))")
"""Models that bill reasoning which a stream does not show (their providers' pages on reasoning and thinking)."""


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
    def broken_off(self) -> bool:
        """Whether the provider may bill more than anybody has seen: it ended before it said what it used."""
        return self.outcome.error is not None and self.outcome.billed and self.reading.estimated


def counted(budgets: Sequence[Budget], parts: Sequence[Part], ended: Ended, prices: PriceBook) -> list[int]:
    """Return what each budget counts, in its units.

    A call that was broken off counts with all its input, what came of the answer, and what may have been on the
    way. If nothing came (a time-out, a task that was cancelled) or the model may have reasoned unseen, it counts
    in full, as a reservation whose lease runs out does.
    """
    usd, tokens = ended.cost.high, ended.reading.usage.total
    least = ended.cost.usd
    if ended.broken_off:
        came = ended.reading.usage.total_output
        if not came or _THINKS_UNSEEN.search((ended.claim.model or "").lower()):
            return [part.amount for part in parts]
        most = ceiling_of(
            replace(ended.claim, max_output_tokens=math.ceil(came * UNSEEN_FACTOR) + UNSEEN_TOKENS, choices=1),
            prices,
            counted=True,
            at=ended.at,
        )
        usd, tokens = most.usd, most.tokens
    units = []
    for budget, part in zip(budgets, parts, strict=True):
        if budget.unit == "calls":
            units.append(1)
        elif budget.unit == "tokens":
            units.append(min(tokens, part.amount) if ended.broken_off else tokens)
        elif least is None:
            # A model answered that has no price, though the one that was asked for had: what was reserved counts.
            units.append(part.amount)
        else:
            most_units = budget.in_units(least if usd is None else usd)
            units.append(max(budget.in_units(least), min(part.amount, most_units)))
    return units
