"""What did the two chains cost, request by request, and was each served answer the right one?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from lc_costkit.cache.declared import question as declared
from lc_costkit.demo.chains import KNOWLEDGE_VERSION
from lc_costkit.demo.data import Question
from lc_costkit.langchain.callbacks import CostCallbackHandler

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable, RunnableConfig

    from lc_costkit.langchain.cache import SemanticCache
    from lc_costkit.ledger import Ledger
    from lc_costkit.record import CallRecord

NUMBER = "request"
"""Metadata key that joins a request to its record in the ledger."""


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

    def ask(self, text: str, number: int) -> float:
        """Ask, and return how long it took, seconds."""
        config: RunnableConfig = {
            "callbacks": [CostCallbackHandler(self.ledger)],
            "metadata": {"feature": "support", NUMBER: number},
        }
        started = time.perf_counter()
        self.chain.invoke(text, config=config)
        return time.perf_counter() - started

    def records(self) -> dict[int, CallRecord]:
        """Return what the ledger holds, by number of the request."""
        return {int(record.metadata[NUMBER]): record for record in self.ledger.records()}


class Comparison:
    """Asks both chains the same questions; the ledgers keep what they cost.

    Both are asked a question one after the other, so that whatever else the machine does
    weighs on both alike.
    """

    def __init__(self, plain: Side, kit: Side, cache: SemanticCache, questions: Sequence[Question]) -> None:
        self._plain = plain
        self._kit = kit
        self._cache = cache
        self._by_text = {q.text: q for q in questions}
        self._timed: list[tuple[Question, float, float]] = []

    def __len__(self) -> int:
        return len(self._timed)

    def ask(self, question: Question) -> None:
        """Ask one question of both chains.

        Raises:
            Exception: whatever the provider's client raises; nothing is caught here.
        """
        number = len(self._timed)
        plain_seconds = self._plain.ask(question.text, number)
        with declared(question.text, scope=KNOWLEDGE_VERSION):
            kit_seconds = self._kit.ask(question.text, number)
        self._timed.append((question, plain_seconds, kit_seconds))

    def spent(self) -> Decimal:
        """Return the USD that both ledgers hold so far, estimates and unfinished requests included."""
        return sum((side.ledger.report().total.usd for side in (self._plain, self._kit)), Decimal(0))

    def spent_at_most(self, ceiling: Decimal) -> Decimal:
        """Return an upper bound of what the finished requests cost, USD.

        A call whose cost is not known exactly (estimated, unpriced, not in the ledger) counts as
        ``ceiling``.
        """
        known = [
            row
            for side in (self._plain, self._kit)
            for row in side.ledger.report(by="basis").rows
            if row.group == "exact"
        ]
        unknown = 2 * len(self) - sum(row.requests for row in known)
        return sum((row.usd for row in known), ceiling * max(0, unknown))

    def asked(self) -> list[Asked]:
        """Return every finished request with what both ledgers recorded of it."""
        plain, kit = self._plain.records(), self._kit.records()
        return [
            Asked(
                question=question,
                plain=plain[number],
                kit=kit[number],
                plain_seconds=plain_seconds,
                kit_seconds=kit_seconds,
                served_from=self._source(kit[number]),
            )
            for number, (question, plain_seconds, kit_seconds) in enumerate(self._timed)
        ]

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
    false_semantic_hits: int
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
    def labelled_hits(self) -> int:
        """Hits of which it is known whether they were right."""
        return self.hits - self.unlabelled_hits

    @property
    def difference(self) -> Decimal:
        """What the second bill is lower by, USD; the kit's own cost is in it."""
        return self.plain_usd - self.kit_usd


def summarise(asked: Sequence[Asked]) -> Outcome:
    """Add up a comparison."""
    hits = [a for a in asked if a.kit.cache == "hit"]
    wrong = [a for a in hits if a.served_from is not None and a.served_from.intent != a.question.intent]
    misses = [a for a in asked if a.kit.cache != "hit"]
    return Outcome(
        requests=len(asked),
        distinct=len({a.question.text for a in asked}),
        plain_usd=_usd(a.plain for a in asked),
        kit_usd=_usd(a.kit for a in asked) + sum((a.kit.side_cost_usd for a in asked), Decimal(0)),
        plain_tokens=_tokens([a.plain for a in asked]),
        kit_tokens=_tokens([a.kit for a in misses]),
        provider_calls=len(misses),
        exact_hits=sum(a.kit.cache_tier == "exact" for a in hits),
        semantic_hits=sum(a.kit.cache_tier == "semantic" for a in hits),
        false_hits=len(wrong),
        false_semantic_hits=sum(a.kit.cache_tier == "semantic" for a in wrong),
        unlabelled_hits=sum(a.served_from is None for a in hits),
        saved=_saved(a.kit for a in asked),
        side_usd=sum((a.kit.side_cost_usd for a in asked), Decimal(0)),
        model_shares=dict(Counter(a.kit.model_asked or "?" for a in misses)),
        added_seconds=tuple(a.kit_seconds - a.plain_seconds for a in misses),
        hit_seconds=tuple(a.kit_seconds for a in hits),
        plain_seconds=tuple(a.plain_seconds for a in asked),
        estimated=sum(r.cost.basis == "estimated" for a in asked for r in (a.plain, a.kit)),
        unpriced=sum(r.cost.basis == "unpriced" for a in asked for r in (a.plain, a.kit)),
    )


def _saved(records: Iterable[CallRecord]) -> dict[str, Decimal]:
    """Add up what the ledger says each part saved, net of its own cost.

    A hit saves what the call would have cost without the kit. Of the other calls, the pruner saves
    the input that was not sent, at the strong model's rate, and the router the difference of the two
    models for what was sent.
    """
    parts: dict[str, Decimal] = {}
    for record in records:
        for saving in record.saved:
            if not saving.hypothetical and saving.usd is not None:
                parts[saving.part] = parts.get(saving.part, Decimal(0)) + saving.usd
    return parts


def _usd(records: Iterable[CallRecord]) -> Decimal:
    return sum((r.cost.usd or Decimal(0) for r in records), Decimal(0))


def _tokens(records: Sequence[CallRecord]) -> tuple[int, int]:
    return sum(r.usage.total_input for r in records), sum(r.usage.total_output for r in records)
