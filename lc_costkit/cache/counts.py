"""What has the cache done that is not written down yet?"""

from __future__ import annotations

import os
import re
import threading
import time
import weakref
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from lc_costkit.cache.judging import Judgement
from lc_costkit.cache.results import Hit, LookupCost, Miss
from lc_costkit.cache.store import Entry

# Amounts are added up in the store as whole pico-dollars: sums stay exact across processes,
# and the cheapest price known (0.005 USD per million tokens) is 5,000 of them a token.
PICO = Decimal(10) ** 12

# How long counts may stay in memory (seconds). A hit then costs no write, and a killed
# process loses at most this much of the statistics, never an answer.
FLUSH_SECONDS = 1.0
_RETRY_SECONDS = 30.0

_MAX_REASONS = 200

LOW_SCORE = "score too low"
_SCORE = re.compile(r"score \d")


class Tally:
    """Counts lookups and stores in memory until they are written down.

    Args:
        namespace: under which the counts are kept.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._touches: dict[int, tuple[int, float]] = {}
        self._reasons: set[str] = set()
        self._due = time.monotonic() + FLUSH_SECONDS
        _forget_in_children(self)

    def forget(self) -> None:
        """Drop what is pending: after a fork, the parent writes it."""
        self._lock = threading.Lock()
        self._counts = Counter()
        self._touches = {}

    def looked_up(self, outcome: Hit | Miss, *, now: float) -> None:
        """Count a lookup."""
        with self._lock:
            self._counts["lookups"] += 1
            self._price_lookup(outcome.cost)
            if outcome.seen is not None:
                self._counts["decided"] += 1
            if isinstance(outcome, Hit):
                self._counts[f"hits_{outcome.tier}"] += 1
                self._serve(outcome.entry)
                if outcome.tier == "exact" and outcome.entry.answer_usd is not None:
                    self._counts["exact_pico"] += _pico(outcome.entry.answer_usd)
                hits, _ = self._touches.get(outcome.entry.id, (0, now))
                self._touches[outcome.entry.id] = (hits + 1, now)
                return
            self._counts["misses"] += 1
            if outcome.verdict == "observed_hit" and outcome.candidate is not None:
                self._counts["observed"] += 1
                if outcome.tier == "exact":
                    self._counts["observed_exact"] += 1
                if outcome.candidate.answer_usd is not None:
                    self._counts["observed_pico"] += _pico(outcome.candidate.answer_usd)
                    if outcome.tier == "exact":
                        self._counts["exact_pico"] += _pico(outcome.candidate.answer_usd)
            elif outcome.verdict == "skipped" or outcome.similarity is not None:
                self._counts[self._reason("refused", _refusal(outcome))] += 1

    def stored(self) -> None:
        """Count an answer that was written."""
        self._add("stored", 1)

    def unstored(self) -> None:
        """Take back a count: the answer was not written after all."""
        self._add("stored", -1)

    def not_stored(self, reason: str) -> None:
        """Count an answer that was not written, and why."""
        with self._lock:
            self._counts[self._reason("not_stored", reason)] += 1

    def trimmed(self, *, expired: int, evicted: int) -> None:
        """Count answers that were dropped."""
        self._add("expired", expired)
        self._add("evicted", evicted)

    def cost(self, cost: LookupCost) -> None:
        """Count a cost that came up outside a lookup."""
        with self._lock:
            self._price_lookup(cost)

    def judged(self, said: Judgement | None) -> None:
        """Count what a judge said about a candidate; ``None`` where it failed."""
        verdict = "failed" if said is None or said.same is None else "yes" if said.same else "no"
        with self._lock:
            self._counts["judge_calls"] += 1
            self._counts[f"judge_{verdict}"] += 1
            if said is not None:
                self._spend("judge", said.usd)

    def drawn(self) -> None:
        """Count a decision that is to be checked."""
        self._add("checks", 1)

    def verified(self, *, same: bool) -> None:
        """Count a verdict."""
        self._add("checks_right" if same else "checks_wrong", 1)

    def unverified(self, why: Literal["failed", "dropped"]) -> None:
        """Count a check that came to no verdict."""
        self._add(f"checks_{why}", 1)

    def demoted(self) -> None:
        """Count an entry that answers to the letter only from now on."""
        self._add("demoted", 1)

    def verification(self, usd: Decimal | None) -> None:
        """Count what a call for a check cost, USD."""
        with self._lock:
            self._spend("verification", usd)

    def due(self) -> bool:
        """Tell whether the counts have waited long enough to be written."""
        return time.monotonic() >= self._due and bool(self._counts)

    def take(self) -> tuple[dict[int, tuple[int, float]], dict[tuple[str, str], int]]:
        """Hand over what is pending; ``give_back`` it if it could not be written."""
        with self._lock:
            counts = {(self._namespace, name): value for name, value in self._counts.items() if value}
            touches, self._touches = self._touches, {}
            self._counts = Counter()
            self._due = time.monotonic() + FLUSH_SECONDS
        return touches, counts

    def give_back(self, touches: Mapping[int, tuple[int, float]], counts: Mapping[tuple[str, str], int]) -> None:
        """Take back what could not be written, and wait longer before the next attempt."""
        with self._lock:
            for (_, name), value in counts.items():
                self._counts[name] += value
            for entry_id, (hits, at) in touches.items():
                more, later = self._touches.get(entry_id, (0, at))
                self._touches[entry_id] = (hits + more, max(at, later))
            self._due = time.monotonic() + _RETRY_SECONDS

    def pending(self) -> Counter[str]:
        """Return a copy of the counts that are not written yet."""
        with self._lock:
            return Counter(self._counts)

    def _add(self, name: str, value: int) -> None:
        if value:
            with self._lock:
                self._counts[name] += value

    def _serve(self, entry: Entry) -> None:
        self._counts["saved_tokens"] += entry.tokens or 0
        if entry.answer_usd is None:
            self._counts["served_unpriced"] += 1
            return
        self._counts["served_pico"] += _pico(entry.answer_usd)
        if entry.answer_basis == "estimated":
            self._counts["served_estimated_pico"] += _pico(entry.answer_usd)

    def _spend(self, name: str, usd: Decimal | None) -> None:
        if usd is None:
            self._counts[f"{name}_unpriced"] += 1
        elif usd:
            self._counts[f"{name}_pico"] += _pico(usd)

    def _price_lookup(self, cost: LookupCost) -> None:
        if cost.usd is None:
            self._counts["lookups_unpriced"] += 1
        elif cost.usd:
            self._counts["lookup_pico"] += _pico(cost.usd)

    def _reason(self, kind: str, reason: str) -> str:
        name = f"{kind}:{reason[:150]}"
        if name not in self._reasons:
            if len(self._reasons) >= _MAX_REASONS:
                return f"{kind}:other reasons"
            self._reasons.add(name)
        return name


def _refusal(miss: Miss) -> str:
    """Return why a lookup was not served, in words that do not differ from score to score."""
    reason = miss.reason or "no reason given"
    return miss.gate or (LOW_SCORE if _SCORE.match(reason) else reason)


def _forget_in_children(tally: Tally) -> None:
    if hasattr(os, "register_at_fork"):
        reference = weakref.ref(tally)

        def forget() -> None:
            alive = reference()
            if alive is not None:
                alive.forget()

        os.register_at_fork(after_in_child=forget)


def _pico(usd: Decimal) -> int:
    return int((usd * PICO).to_integral_value())
