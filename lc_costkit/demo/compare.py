"""What did the two chains cost, request by request, and was each served answer the right one?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from lc_costkit.cache.key import question as declared
from lc_costkit.demo.chains import KNOWLEDGE_VERSION
from lc_costkit.demo.data import Question
from lc_costkit.langchain.callbacks import CostCallbackHandler

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from lc_costkit.langchain.cache import SemanticCache
    from lc_costkit.ledger import Ledger
    from lc_costkit.record import CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, asked of both chains."""

    question: Question
    plain: CallRecord
    kit: CallRecord
    plain_seconds: float
    kit_seconds: float
    served_from: Question | None
    """For a cache hit: the question whose answer was served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One chain, its ledger and how it is called."""

    chain: Runnable[str, str]
    ledger: Ledger


class Comparison:
    """Asks both chains and keeps what the ledgers recorded.

    Both are asked the same question one after the other, so that whatever else the
    machine does weighs on both alike.
    """

    def __init__(self, plain: Side, kit: Side, cache: SemanticCache, questions: Sequence[Question]) -> None:
        self._plain = plain
        self._kit = kit
        self._cache = cache
        self._by_text = {q.text: q for q in questions}
        self.asked: list[Asked] = []

    def ask(self, question: Question) -> Asked:
        """Ask one question of both chains.

        Raises:
            Exception: whatever the provider's client raises; nothing is caught here.
        """
        plain, plain_seconds = self._one(self._plain, question)
        with declared(question.text, scope=KNOWLEDGE_VERSION):
            kit, kit_seconds = self._one(self._kit, question)
        result = Asked(
            question=question,
            plain=plain,
            kit=kit,
            plain_seconds=plain_seconds,
            kit_seconds=kit_seconds,
            served_from=self._source(kit),
        )
        self.asked.append(result)
        return result

    @property
    def spent(self) -> Decimal:
        """USD spent so far by both chains together; unpriced calls are not in it."""
        return sum((record.cost.usd or Decimal(0) for a in self.asked for record in (a.plain, a.kit)), Decimal(0))

    def _one(self, side: Side, question: Question) -> tuple[CallRecord, float]:
        captured: list[CallRecord] = []
        handler = CostCallbackHandler(side.ledger, on_record=captured.append)
        started = time.perf_counter()
        side.chain.invoke(question.text, config={"callbacks": [handler], "metadata": {"feature": "support"}})
        seconds = time.perf_counter() - started
        return captured[-1], seconds

    def _source(self, record: CallRecord) -> Question | None:
        if record.cache != "hit" or record.cache_entry_id is None:
            return None
        entry = self._cache.entry(record.cache_entry_id)
        return None if entry is None else self._by_text.get(entry.question)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The figures of a finished (or interrupted) comparison; USD, tokens, seconds."""

    requests: int
    distinct: int
    plain_usd: Decimal
    kit_usd: Decimal
    plain_tokens: tuple[int, int]
    kit_tokens: tuple[int, int]
    provider_calls: int
    exact_hits: int
    semantic_hits: int
    false_hits: int
    unlabelled_hits: int
    saved: dict[str, Decimal]
    side_usd: Decimal
    model_shares: dict[str, int]
    added_seconds: tuple[float, ...]
    hit_seconds: tuple[float, ...]
    plain_seconds: tuple[float, ...]
    estimated: int
    unpriced: int

    @property
    def hits(self) -> int:
        """Requests that were answered from the cache."""
        return self.exact_hits + self.semantic_hits

    @property
    def difference(self) -> Decimal:
        """What the second bill is lower by, USD; the kit's own cost is in it."""
        return self.plain_usd - self.kit_usd


def summarise(asked: Sequence[Asked]) -> Outcome:
    """Add up a comparison."""
    hits = [a for a in asked if a.kit.cache == "hit"]
    misses = [a for a in asked if a.kit.cache != "hit"]
    saved: Counter[str] = Counter()
    for a in asked:
        for saving in a.kit.saved:
            if not saving.hypothetical and saving.usd is not None:
                saved[saving.part] += saving.usd  # type: ignore[assignment]
    return Outcome(
        requests=len(asked),
        distinct=len({a.question.text for a in asked}),
        plain_usd=_usd(a.plain for a in asked),
        kit_usd=_usd(a.kit for a in asked) + sum((a.kit.side_cost_usd or Decimal(0) for a in asked), Decimal(0)),
        plain_tokens=_tokens([a.plain for a in asked]),
        kit_tokens=_tokens([a.kit for a in misses]),
        provider_calls=len(misses),
        exact_hits=sum(a.kit.cache_tier == "exact" for a in hits),
        semantic_hits=sum(a.kit.cache_tier == "semantic" for a in hits),
        false_hits=sum(a.served_from is not None and a.served_from.intent != a.question.intent for a in hits),
        unlabelled_hits=sum(a.served_from is None for a in hits),
        saved={part: Decimal(usd) for part, usd in saved.items()},
        side_usd=sum((a.kit.side_cost_usd or Decimal(0) for a in asked), Decimal(0)),
        model_shares=dict(Counter(a.kit.model_answered or a.kit.model_asked or "?" for a in misses)),
        added_seconds=tuple(a.kit_seconds - a.plain_seconds for a in misses),
        hit_seconds=tuple(a.kit_seconds for a in hits),
        plain_seconds=tuple(a.plain_seconds for a in asked),
        estimated=sum(r.cost.basis == "estimated" for a in asked for r in (a.plain, a.kit)),
        unpriced=sum(r.cost.basis == "unpriced" for a in asked for r in (a.plain, a.kit)),
    )


def _usd(records: object) -> Decimal:
    return sum((r.cost.usd or Decimal(0) for r in records), Decimal(0))  # type: ignore[attr-defined]


def _tokens(records: Sequence[CallRecord]) -> tuple[int, int]:
    return sum(r.usage.total_input for r in records), sum(r.usage.total_output for r in records)
