"""How much has the cache served, refused and saved?"""

from __future__ import annotations

import html
import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What one namespace of a cache has done, over all processes and restarts.

    Attributes:
        namespace: whose statistics these are.
        lookups: questions asked, whatever came of them.
        exact_hits: served to the letter.
        semantic_hits: served although worded differently.
        observed_hits: what observe mode found but did not serve.
        misses: sent on to the provider.
        refused: why lookups were not served, by reason or gate.
        stored: answers written.
        not_stored: why answers were not written, by reason.
        entries: answers held now.
        evicted: answers dropped to keep to ``max_entries``.
        expired: answers dropped because their time was over.
        saved_tokens: tokens of the answers that were served.
        served_usd: what the served answers had cost where that is known, USD.
        served_estimated_usd: how much of ``served_usd`` is estimated, USD.
        served_unpriced: served answers whose cost is unknown; they are not in ``served_usd``.
        observed_usd: what observe mode would have saved, before lookup costs, USD.
        lookup_usd: what all lookups cost, USD.
        lookups_unpriced: lookups whose cost is unknown; they are not in ``lookup_usd``.
        faults: failures of this cache in this process, by place and kind.
    """

    namespace: str
    lookups: int
    exact_hits: int
    semantic_hits: int
    observed_hits: int
    misses: int
    refused: Mapping[str, int]
    stored: int
    not_stored: Mapping[str, int]
    entries: int
    evicted: int
    expired: int
    saved_tokens: int
    served_usd: Decimal
    served_estimated_usd: Decimal
    served_unpriced: int
    observed_usd: Decimal
    lookup_usd: Decimal
    lookups_unpriced: int
    faults: Mapping[str, int]

    @property
    def hits(self) -> int:
        """Answers served from the cache."""
        return self.exact_hits + self.semantic_hits

    @property
    def hit_rate(self) -> float:
        """Share of the lookups that were served, 0 to 1; 0 before the first lookup."""
        return self.hits / self.lookups if self.lookups else 0.0

    @property
    def saved_usd(self) -> Decimal:
        """What serving saved, net of what all lookups cost, USD; below 0 if looking cost more."""
        return self.served_usd - self.lookup_usd

    def rows(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for a table."""
        unpriced = f", {self.served_unpriced} hits unpriced" if self.served_unpriced else ""
        estimated = f", {_usd(self.served_estimated_usd)} estimated" if self.served_estimated_usd else ""
        unknown = f", {self.lookups_unpriced} unpriced" if self.lookups_unpriced else ""
        return [
            ("lookups", f"{self.lookups:,}"),
            ("hits", f"{self.hits:,} ({self.exact_hits:,} exact, {self.semantic_hits:,} semantic)"),
            ("hit rate", f"{self.hit_rate:.1%}"),
            ("observed hits", f"{self.observed_hits:,} (worth {_usd(self.observed_usd)}, not served)"),
            ("misses", f"{self.misses:,}"),
            ("refused", _counted(self.refused)),
            ("stored", f"{self.stored:,}"),
            ("not stored", _counted(self.not_stored)),
            ("entries", f"{self.entries:,} ({self.evicted:,} evicted, {self.expired:,} expired)"),
            ("saved tokens", f"{self.saved_tokens:,}"),
            ("saved, net", f"{_usd(self.saved_usd)}{estimated}{unpriced}"),
            ("lookups cost", f"{_usd(self.lookup_usd)}{unknown}"),
            ("faults", _counted(self.faults)),
        ]

    def __repr__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        lines = [f"  {label:<{width}}  {value}" for label, value in self.rows()]
        return "\n".join([f"CacheStats of {self.namespace!r}", *lines])

    def _repr_html_(self) -> str:
        return html_table(f"Cache {self.namespace!r}", self.rows())


def html_table(title: str, rows: list[tuple[str, str]]) -> str:
    """Render a titled two-column table; every cell is escaped.

    >>> html_table("t", [("<b>", "1")])
    '<table><caption>t</caption><tr><th>&lt;b&gt;</th><td>1</td></tr></table>'
    """
    body = "".join(f"<tr><th>{html.escape(label)}</th><td>{html.escape(value)}</td></tr>" for label, value in rows)
    return f"<table><caption>{html.escape(title)}</caption>{body}</table>"


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
            if isinstance(outcome, Hit):
                self._counts[f"hits_{outcome.tier}"] += 1
                self._serve(outcome.entry)
                hits, _ = self._touches.get(outcome.entry.id, (0, now))
                self._touches[outcome.entry.id] = (hits + 1, now)
                return
            self._counts["misses"] += 1
            if outcome.verdict == "observed_hit" and outcome.candidate is not None:
                self._counts["observed"] += 1
                if outcome.candidate.answer_usd is not None:
                    self._counts["observed_pico"] += _pico(outcome.candidate.answer_usd)
            elif outcome.verdict == "skipped" or outcome.similarity is not None:
                self._counts[self._reason("refused", outcome.gate or outcome.reason or "no reason given")] += 1

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


def _forget_in_children(tally: Tally) -> None:
    if hasattr(os, "register_at_fork"):
        reference = weakref.ref(tally)

        def forget() -> None:
            alive = reference()
            if alive is not None:
                alive.forget()

        os.register_at_fork(after_in_child=forget)


def make_stats(namespace: str, counts: Mapping[str, int], *, entries: int, faults: Mapping[str, int]) -> CacheStats:
    """Turn counters into statistics."""

    def by_reason(kind: str) -> dict[str, int]:
        start = f"{kind}:"
        found = {name[len(start) :]: value for name, value in counts.items() if name.startswith(start)}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def usd(name: str) -> Decimal:
        return Decimal(counts.get(name, 0)) / PICO

    return CacheStats(
        namespace=namespace,
        lookups=counts.get("lookups", 0),
        exact_hits=counts.get("hits_exact", 0),
        semantic_hits=counts.get("hits_semantic", 0),
        observed_hits=counts.get("observed", 0),
        misses=counts.get("misses", 0),
        refused=by_reason("refused"),
        stored=counts.get("stored", 0),
        not_stored=by_reason("not_stored"),
        entries=entries,
        evicted=counts.get("evicted", 0),
        expired=counts.get("expired", 0),
        saved_tokens=counts.get("saved_tokens", 0),
        served_usd=usd("served_pico"),
        served_estimated_usd=usd("served_estimated_pico"),
        served_unpriced=counts.get("served_unpriced", 0),
        observed_usd=usd("observed_pico"),
        lookup_usd=usd("lookup_pico"),
        lookups_unpriced=counts.get("lookups_unpriced", 0),
        faults=dict(faults),
    )


def _pico(usd: Decimal) -> int:
    return int((usd * PICO).to_integral_value())


def _usd(amount: Decimal) -> str:
    return f"{amount:.6f} USD"


def _counted(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{value:,} {name}" for name, value in counts.items()) or "none"
