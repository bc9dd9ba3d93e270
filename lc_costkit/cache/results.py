"""What did a lookup find, and what did it cost to look?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lc_costkit.cache.key import CacheKey
from lc_costkit.cache.seen_pairs import SeenPair
from lc_costkit.cache.store import Entry
from lc_costkit.cost import EXACTLY
from lc_costkit.marks import CacheMark
from lc_costkit.usage import Basis

Tier = Literal["exact", "semantic"]
"""``exact``: the same question to the letter; ``semantic``: another wording."""

MissVerdict = Literal["miss", "skipped", "observed_hit", "none"]
"""``skipped``: such a request is never cached; ``observed_hit``: held back by observe mode; ``none``: switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupCost:
    """What looking cost.

    Attributes:
        usd: price of the embedding call and of a judge, USD; ``None`` where one has a price we do not know.
        basis: ``exact`` for free ones, ``estimated`` where tokens were counted here.
        seconds: how long the lookup took.
    """

    usd: Decimal | None = Decimal(0)
    basis: Basis = "exact"
    seconds: float = 0.0

    def plus(self, usd: Decimal | None, basis: Basis) -> LookupCost:
        """Add an amount; what is added to something unpriced stays unpriced.

        >>> LookupCost(usd=Decimal("0.1"), basis="estimated").plus(Decimal("0.2"), "exact")
        LookupCost(usd=Decimal('0.3'), basis='estimated', seconds=0.0)
        """
        if self.usd is None or usd is None:
            return replace(self, usd=None, basis="unpriced")
        with localcontext(EXACTLY):
            total = self.usd + usd
        return replace(self, usd=total, basis="exact" if self.basis == basis == "exact" else "estimated")


AsText = Callable[[str], str]
"""Reads the text of a stored answer out of its payload, for a judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A would-be hit that was drawn to be compared with a fresh answer.

    Attributes:
        entry_id: the entry that would have been served.
        answer: its answer as text.
        seen: the decision, as it was noted.
        as_text: reads the text of the fresh answer's payload.
        observed: nothing was to be served; the verdict is only written down.
    """

    entry_id: int
    answer: str
    seen: SeenPair
    as_text: AsText
    observed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A stored answer that may stand for the new call.

    Attributes:
        key: the key of the request.
        tier: how it was found.
        entry: the stored answer, with its usage and what it cost.
        similarity: cosine between the two questions; 1 in the exact tier.
        cost: what the lookup cost.
        answer: the payload as the caller's ``decode`` read it.
        vector: the embedded question.
        seen: what the semantic tier decided about; ``None`` in the exact tier.
    """

    key: CacheKey
    tier: Tier
    entry: Entry
    similarity: float
    cost: LookupCost = LookupCost()
    answer: object = field(default=None, repr=False)
    vector: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    seen: SeenPair | None = field(default=None, repr=False, compare=False)

    def mark(self) -> CacheMark:
        """Return what the meter needs to know."""
        return _mark("hit", self.tier, self.entry, self.similarity, None, self.cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """No stored answer may stand for the new call.

    Attributes:
        verdict: what kind of miss it is.
        key: the key of the request; ``None`` where it could not be made.
        reason: why, in words.
        gate: the gate that refused the candidate, if one did.
        tier: the tier of the answer that observe mode held back.
        candidate: the nearest stored answer, where one was looked at.
        similarity: cosine between the two questions, where one was near.
        cost: what the lookup cost.
        vector: the embedded question, so that storing does not embed again.
        seen: what the semantic tier decided about, where there was a candidate.
        check: where the candidate was drawn to be compared with the answer that comes now.
    """

    verdict: MissVerdict
    key: CacheKey | None = None
    reason: str | None = None
    gate: str | None = None
    tier: Tier | None = None
    candidate: Entry | None = None
    similarity: float | None = None
    cost: LookupCost = LookupCost()
    vector: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    seen: SeenPair | None = field(default=None, repr=False, compare=False)
    check: Check | None = field(default=None, repr=False, compare=False)

    def mark(self) -> CacheMark:
        """Return what the meter needs to know."""
        served = self.candidate if self.verdict == "observed_hit" else None
        return _mark(self.verdict, self.tier, served, self.similarity, self.reason, self.cost)


def _mark(
    verdict: Literal["hit"] | MissVerdict,
    tier: Tier | None,
    entry: Entry | None,
    similarity: float | None,
    reason: str | None,
    cost: LookupCost,
) -> CacheMark:
    return CacheMark(
        verdict=verdict,
        tier=tier,
        entry_id=None if entry is None else entry.id,
        similarity=None if similarity is None else round(similarity, 6),
        reason=reason,
        answer_usd=None if entry is None else entry.answer_usd,
        answer_basis=None if entry is None else entry.answer_basis,
        answer_tokens=None if entry is None else entry.tokens,
        lookup_usd=cost.usd,
        lookup_basis=cost.basis,
        lookup_seconds=cost.seconds,
    )
