"""How is an answer kept, and how many of them?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

from lc_costkit.cache.cost import Costs
from lc_costkit.cache.counts import Tally
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.index import Vector
from lc_costkit.cache.key import CacheKey, CacheRequest
from lc_costkit.cache.knobs import Knobs
from lc_costkit.cache.matcher import Matcher
from lc_costkit.cache.store import EntryStore, NewEntry
from lc_costkit.cache.text import question_hash
from lc_costkit.embedding import Embedder
from lc_costkit.faults import Faults
from lc_costkit.usage import Basis, UsageReading

# Expired entries are dropped once in so many stores; they are never served in between.
_TRIM_EVERY = 256

# Where there is a limit, the entries are counted at least once in so many stores: other
# processes write them too.
_COUNT_EVERY = 32

# Above 100 entries, this share more than needed is evicted at once, so that a full cache
# does not count and evict on every store.
_SLACK = 0.01


class Writer:
    """Writes answers of one cache.

    Args:
        store: where to.
        matcher: to be told of new and dropped entries.
        embedder: for answers that come without a vector.
        costs: prices them.
        tally: counts them; its pending counts ride along in the same commit.
        faults: where failures go that must not lose the answer.
        knobs: namespace, lifetime and number of entries.
    """

    def __init__(
        self,
        store: EntryStore,
        matcher: Matcher,
        embedder: Embedder,
        costs: Costs,
        tally: Tally,
        faults: Faults,
        knobs: Knobs,
    ) -> None:
        self._store = store
        self._matcher = matcher
        self._embedder = embedder
        self._costs = costs
        self._tally = tally
        self._faults = faults
        self._knobs = knobs
        self._lock = threading.Lock()
        self._until_trim = 0

    def write(
        self,
        key: CacheKey,
        request: CacheRequest,
        payload: str,
        *,
        reading: UsageReading | None,
        vector: Vector | None,
        exact_only: bool,
        clock: Callable[[], float],
    ) -> int:
        """Write an answer in one commit and return its id."""
        semantic = not (key.exact_only or exact_only)
        if not semantic:
            vector = None
        elif vector is None:
            vector = self._embed(key)
        usd, basis = self._price(reading)
        now = clock()
        entry = NewEntry(
            namespace=self._knobs.namespace,
            scope=key.scope,
            exact=key.exact,
            question=key.question,
            question_hash=question_hash(key.question),
            payload=payload,
            model=request.model if reading is None or reading.model is None else reading.model,
            usage=None if reading is None else reading.usage,
            answer_usd=usd,
            answer_basis=basis,
            created_at=now,
            expires_at=None if self._knobs.ttl_seconds is None else now + self._knobs.ttl_seconds,
            semantic=semantic,
            vector=vector,
        )
        self._tally.stored()
        touches, counts = self._tally.take()
        try:
            entry_id = self._store.add(entry, self._embedder.identity, touches=touches, counts=counts)
        except BaseException:
            self._tally.give_back(touches, counts)
            self._tally.unstored()
            raise
        if vector is not None:
            self._matcher.added(key.scope, entry_id, vector)
        self._trim(now)
        return entry_id

    def _embed(self, key: CacheKey) -> Vector | None:
        # Without a vector the answer is still found to the letter, and is embedded when its scope is next read.
        try:
            vector: Vector = self._embedder.embed([core_of(key.question)])[0]
            self._tally.cost(self._costs.embedding([core_of(key.question)]))
            return vector
        except Exception as error:
            self._faults.record(
                "embedding", error, "The answer is stored for exact repeats; see that the embedder works"
            )
            return None

    def _price(self, reading: UsageReading | None) -> tuple[Decimal | None, Basis]:
        try:
            return self._costs.answer(reading)
        except Exception as error:
            self._faults.record("pricing", error, "The answer is stored; its savings count as unpriced")
            return None, "unpriced"

    def _trim(self, now: float) -> None:
        with self._lock:
            self._until_trim -= 1
            if self._until_trim >= 0:
                return
            self._until_trim = _TRIM_EVERY  # the others go on while this one trims
        limit = self._knobs.max_entries
        try:
            slack = 0 if limit is None else int(limit * _SLACK)
            expired, evicted, left = self._store.trim(self._knobs.namespace, now=now, limit=limit, slack=slack)
            if limit is not None:
                with self._lock:
                    self._until_trim = min(_COUNT_EVERY, limit - left)
            self._tally.trimmed(expired=len(expired), evicted=len(evicted))
            self._matcher.forget([*expired, *evicted])
        except Exception as error:
            self._faults.record("trimming", error, "The store may grow over max_entries; see that it can be written")
