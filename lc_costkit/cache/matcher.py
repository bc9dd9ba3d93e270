"""Which stored entry, if any, answers this key?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lc_costkit.cache.accept import BELOW_THRESHOLD, Acceptance, Acceptor
from lc_costkit.cache.cost import Costs
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.index import LoadedScope, ScopeIndexes, Vector
from lc_costkit.cache.key import CacheKey
from lc_costkit.cache.learning import REJECTED, REJECTED_REASON, Learning
from lc_costkit.cache.results import Hit, LookupCost, Miss, Tier
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE, SeenPair
from lc_costkit.cache.store import Entry, EntryStore
from lc_costkit.embedding import Embedder

# Rows of another embedder that are embedded again while a question waits: the bundled
# embedder takes 0.02 ms each, a remote one a single batched call.
REEMBED_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What was found for a key.

    Attributes:
        tier: how; ``None`` where nothing may be served.
        entry: the entry that may be served, or the candidate that a gate refused.
        nearest_id: the nearest entry, also where it is too far to be read.
        similarity: cosine between the questions.
        acceptance: what was decided about the candidate.
        crowd: mean cosine of the next ten stored questions, 0 to 1.
    """

    tier: Tier | None = None
    entry: Entry | None = None
    nearest_id: int | None = None
    similarity: float | None = None
    acceptance: Acceptance | None = None
    crowd: float = 0.0

    def outcome(self, key: CacheKey, vector: Vector | None) -> Hit | Miss:
        """Say it in the words of the caller."""
        if self.tier is not None and self.entry is not None and self.similarity is not None:
            return Hit(
                key=key,
                tier=self.tier,
                entry=self.entry,
                similarity=self.similarity,
                vector=vector,
                seen=self._seen(key.question),
            )
        refusal = self.acceptance
        return Miss(
            verdict="miss",
            key=key,
            reason=NOTHING_STORED if refusal is None else refusal.reason,
            gate=None if refusal is None else refusal.gate,
            candidate=self.entry,
            similarity=self.similarity,
            vector=vector,
            seen=self._seen(key.question),
        )

    def _seen(self, question: str) -> SeenPair | None:
        decided = self.acceptance
        if self.tier == "exact" or self.entry is None or decided is None:
            return None
        refused_by = None if decided.accepted else decided.gate or REFUSED_BY_SCORE
        return SeenPair(
            cached=self.entry.question,
            new=question,
            similarity=self.similarity,
            score=decided.score,
            crowd=self.crowd,
            refused_by=refused_by,
            entry_id=self.entry.id,
        )


NOTHING = Match()
NOTHING_STORED = "nothing is stored in this scope"


class Matcher:
    """Finds entries of one namespace.

    Args:
        store: the truth.
        embedder: makes vectors; rows of another embedder are never compared with its own.
        acceptor: decides about the nearest.
        costs: prices what embedding again costs.
        learning: what must not be served again.
        namespace: whose entries to look at.
        ttl_seconds: how old an answer may be, whatever it was stored with.
    """

    def __init__(
        self,
        store: EntryStore,
        embedder: Embedder,
        acceptor: Acceptor,
        costs: Costs,
        learning: Learning,
        *,
        namespace: str,
        ttl_seconds: float | None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._acceptor = acceptor
        self._costs = costs
        self._learning = learning
        self._namespace = namespace
        self._ttl_seconds = ttl_seconds
        self._scopes = ScopeIndexes(embedder.dimensions)

    def exact(self, key: CacheKey, *, now: float) -> Match:
        """Look for the same question to the letter."""
        entry = self._store.by_exact(self._namespace, key.exact)
        if entry is None or entry.over(now, self._ttl_seconds):
            return NOTHING
        return Match(
            tier="exact", entry=entry, nearest_id=entry.id, similarity=1.0, acceptance=Acceptance(accepted=True)
        )

    def nearest(self, key: CacheKey, vector: Vector, *, now: float) -> tuple[Match, list[LookupCost]]:
        """Look for another wording; also return what embedding foreign rows cost."""
        loaded = self._scopes.get(self._namespace, key.scope)
        scale = self._acceptor.scale(key.question)
        with loaded.lock:
            costs = self._catch_up(loaded, key.scope)
            while True:
                found = loaded.index.nearest(vector, scale)
                if found is None:
                    return NOTHING, costs
                entry_id, similarity = found.entry_id, found.similarity
                if not self._acceptor.near_enough(similarity, key.question):
                    far = Match(
                        nearest_id=entry_id, similarity=similarity, acceptance=BELOW_THRESHOLD, crowd=found.crowd
                    )
                    return far, costs
                entry, changes = self._store.candidate(self._namespace, entry_id)
                if entry is not None and entry.semantic and not entry.over(now, self._ttl_seconds):
                    break
                # It ran out, or another process deleted it or keeps it to the letter now: it cannot be the nearest.
                loaded.index.remove(entry_id)
        self._learning.catch_up(changes)
        acceptance = self._acceptor.judge(
            entry.question, key.question, similarity, crowd=found.crowd, twins=found.twins
        )
        if acceptance.accepted and self._learning.refuses(entry.question, key.question):
            acceptance = replace(acceptance, accepted=False, gate=REJECTED, reason=REJECTED_REASON)
        tier: Tier | None = "semantic" if acceptance.accepted else None
        match = Match(
            tier=tier,
            entry=entry,
            nearest_id=entry_id,
            similarity=similarity,
            acceptance=acceptance,
            crowd=found.crowd,
        )
        return match, costs

    def candidate(self, match: Match) -> Entry | None:
        """Return the nearest entry of a match, also where it was too far to be read."""
        if match.entry is not None or match.nearest_id is None:
            return match.entry
        entry, changes = self._store.candidate(self._namespace, match.nearest_id)
        self._learning.catch_up(changes)
        return entry

    def added(self, scope: str, entry_id: int, vector: Vector) -> None:
        """Take in an entry that this process has just written."""
        loaded = self._scopes.in_memory(self._namespace, scope)
        if loaded is not None:
            with loaded.lock:
                loaded.index.add(entry_id, vector)

    def forget(self, ids: list[int]) -> None:
        """Drop entries that were deleted."""
        self._scopes.forget(ids)

    def reset(self) -> None:
        """Drop everything that is in memory."""
        self._scopes.reset()

    def _catch_up(self, loaded: LoadedScope, scope: str) -> list[LookupCost]:
        """Read what was written to the scope since the last look, by whichever process."""
        rows = self._store.vectors(self._namespace, scope, self._embedder.identity, after=loaded.last_id)
        for row in rows:
            if row.vector is not None:
                loaded.index.add(row.id, row.vector)
            loaded.last_id = row.id
        return self._embed_again(loaded, [row.id for row in rows if row.vector is None][-REEMBED_ROWS:])

    def _embed_again(self, loaded: LoadedScope, ids: list[int]) -> list[LookupCost]:
        if not ids:
            return []
        entries = [entry for entry in (self._store.by_id(self._namespace, i) for i in ids) if entry is not None]
        texts = [core_of(entry.question) for entry in entries]
        vectors = self._embedder.embed(texts)
        for entry, vector in zip(entries, vectors, strict=True):
            loaded.index.add(entry.id, vector)
        self._store.add_vectors(
            self._embedder.identity, [(entry.id, vector) for entry, vector in zip(entries, vectors, strict=True)]
        )
        return [self._costs.embedding(texts)]
