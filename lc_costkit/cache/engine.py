"""How does a model call go through the cache, whichever framework made it?"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from lc_costkit.backoff import StoreResting
from lc_costkit.cache.accept import Acceptor, threshold_of
from lc_costkit.cache.admit import DEFAULT_ADMISSION, AdmissionRule
from lc_costkit.cache.cost import Costs
from lc_costkit.cache.declared import current_question
from lc_costkit.cache.explain import Explanation, explain
from lc_costkit.cache.gates import DEFAULT_GATES, Gate, GateOpinion
from lc_costkit.cache.index import Vector
from lc_costkit.cache.key import MAX_TEMPERATURE, CacheKey, CacheRequest, Context, QuestionFinder, make_key
from lc_costkit.cache.knobs import Knobs
from lc_costkit.cache.matcher import Match, Matcher
from lc_costkit.cache.results import Hit, LookupCost, Miss
from lc_costkit.cache.stats import CacheStats, Tally, make_stats
from lc_costkit.cache.store import Entry, EntryStore
from lc_costkit.cache.threads import off_loop
from lc_costkit.cache.writing import Writer, question_hash
from lc_costkit.embedding import BundledEmbedder, ReadyEmbedder, as_embedder, bundled_embedder
from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.pricing import PriceBook
from lc_costkit.switch import disabled
from lc_costkit.usage import UsageReading

_logger = logging.getLogger(__name__)

DISABLED = Miss(verdict="none", reason="LC_COSTKIT_DISABLE is set")
CLOSED = Miss(verdict="none", reason="the cache is closed")

Decode = Callable[[str], object]
"""Turns the JSON text of a stored answer into the caller's own objects."""

_ADVICE = "Call check() on the cache, and see that its file can be written and has room"


def _as_it_is(payload: str) -> object:
    return payload


class Cache:
    """A cache of model answers that also serves other wordings of a stored question.

    Safe to share between threads; several processes may share one file. After it is
    constructed, ``lookup`` and ``store`` do not raise: what fails becomes a miss, or an
    answer that is not stored, with one warning and a count in ``stats()``. Nor do they wait:
    a store that is locked costs a call a quarter of a second, and is then left alone for
    5 seconds, doubling to a minute, before the next call tries it again.

    Args:
        path_or_url: a SQLite file, ``":memory:"``, or a PostgreSQL URL.
        embedder: what turns questions into vectors (see ``lc_costkit.embedding.as_embedder``);
            ``None`` takes the bundled one, which runs offline.
        similarity_threshold: cosine from which a stored question is a candidate, 0 to 1; ``None``
            takes what fits the embedder (the bundled one: .85, and .5 outside the Latin script;
            one that does not say: .9).
        gates: what may refuse a candidate; ``()`` turns them off, ``None`` takes the built-in ones.
        admission: rules about what is cached at all; ``()`` turns them off.
        ttl: how long an answer is served, as ``timedelta`` or seconds; ``None`` is as long as it was
            stored for. The shorter of the two holds.
        max_entries: how many answers to keep; the least recently used go first.
        namespace: keeps tenants or uses apart that share a file.
        mode: ``observe`` looks up and stores, but serves nothing.
        question: finds the question in a request; ``None`` leaves it to the general rule.
        context: which earlier turns must be equal (see ``make_key``).
        max_temperature: requests that state a higher sampling temperature are not cached.
        prices: where prices come from.

    Raises:
        ConfigurationError: an argument is out of range.
        EmbedderError: the embedder does not return one finite vector of one size per text.
        StoreError: the store cannot be opened.
    """

    def __init__(
        self,
        path_or_url: str | Path = ":memory:",
        *,
        embedder: object | None = None,
        similarity_threshold: float | None = None,
        gates: Iterable[Gate] | None = None,
        admission: Iterable[AdmissionRule] | None = None,
        ttl: timedelta | float | None = None,
        max_entries: int | None = None,
        namespace: str = "default",
        mode: str = "on",
        question: QuestionFinder | None = None,
        context: Context = "history",
        max_temperature: float = MAX_TEMPERATURE,
        prices: PriceBook | None = None,
    ) -> None:
        self._knobs = Knobs.checked(
            similarity_threshold=similarity_threshold,
            gates=DEFAULT_GATES if gates is None else gates,
            admission=DEFAULT_ADMISSION if admission is None else admission,
            ttl=ttl,
            max_entries=max_entries,
            namespace=namespace,
            mode=mode,
            question=question,
            context=context,
            max_temperature=max_temperature,
        )
        self._embedder: ReadyEmbedder = bundled_embedder() if embedder is None else as_embedder(embedder)
        self._embedder.embed(["Is this embedder ready to be used?"])
        self._prices = PriceBook() if prices is None else prices
        self._costs = Costs(self._prices, self._embedder)
        self._faults = Faults(_logger)
        self._store = EntryStore(path_or_url)
        acceptor = Acceptor(threshold_of(self._embedder, self._knobs.similarity_threshold), self._knobs.gates)
        self._matcher = Matcher(
            self._store,
            self._embedder,
            acceptor,
            self._costs,
            namespace=namespace,
            ttl_seconds=self._knobs.ttl_seconds,
        )
        self._acceptor = acceptor
        self._tally = Tally(namespace)
        self._writer = Writer(
            self._store, self._matcher, self._embedder, self._costs, self._tally, self._faults, self._knobs
        )
        self._clock: Callable[[], float] = time.time
        self._closed = False
        # Most applications never close a cache: what is pending is written when it goes or the process ends.
        self._last_words = weakref.finalize(self, _flush_at_last, self._store, self._tally, self._faults)

    # -- calls ---------------------------------------------------------------

    def lookup(self, request: CacheRequest, *, decode: Decode = _as_it_is) -> Hit | Miss:
        """Return the stored answer that may stand for this call, or why there is none. Never raises.

        Args:
            request: the call.
            decode: turns a stored payload into ``Hit.answer``; a payload it cannot read is a miss.
        """
        off = self._off()
        if off is not None:
            return off
        started = time.perf_counter()
        outcome = self._exactly(request)
        if isinstance(outcome, CacheKey):
            outcome = self._nearby(outcome, self._embed(outcome))
        return self._finish(outcome, decode, started)

    async def alookup(self, request: CacheRequest, *, decode: Decode = _as_it_is) -> Hit | Miss:
        """Do what ``lookup`` does without blocking the event loop."""
        if not self.embeds_remotely:
            return await off_loop(self.lookup, request, decode=decode)
        off = self._off()
        if off is not None:
            return off
        started = time.perf_counter()
        outcome = await off_loop(self._exactly, request)
        if isinstance(outcome, CacheKey):
            embedded = await self._aembed(outcome)
            outcome = await off_loop(self._nearby, outcome, embedded)
        return await off_loop(self._finish, outcome, decode, started)

    @property
    def embeds_remotely(self) -> bool:
        """Whether a lookup may have to wait for somebody else's embedder."""
        return not isinstance(self._embedder, BundledEmbedder)

    def store(
        self,
        request: CacheRequest,
        payload: str,
        *,
        reading: UsageReading | None = None,
        miss: Miss | None = None,
        exact_only: bool = False,
    ) -> int | None:
        """Keep an answer; when this returns an id, the answer survives the death of the process.

        Args:
            request: the call that was answered.
            payload: the answer as JSON text.
            reading: what the provider reported, for the savings of later hits.
            miss: what ``lookup`` returned for this request; saves making the key and the vector again.
            exact_only: serve it to the same question to the letter only.

        Returns:
            The entry's id, or ``None`` where it was not stored. Never raises.
        """
        if self._off() is not None or (miss is not None and miss.verdict == "observed_hit"):
            return None  # what observe mode would have served is there already
        try:
            key = self._key(request) if miss is None or miss.key is None else miss.key
            if key.refused is not None:
                self._tally.not_stored(key.refused)
                return None
            vector = None if miss is None else miss.vector
            return self._writer.write(
                key, request, payload, reading=reading, vector=vector, exact_only=exact_only, clock=self._clock
            )
        except Exception as error:
            if self._closed:
                return None
            self._faults.record("store", error, _ADVICE)
            self._tally.not_stored(_reason(error))
            return None

    async def astore(
        self,
        request: CacheRequest,
        payload: str,
        *,
        reading: UsageReading | None = None,
        miss: Miss | None = None,
        exact_only: bool = False,
    ) -> int | None:
        """Do what ``store`` does without blocking the event loop."""
        return await off_loop(self.store, request, payload, reading=reading, miss=miss, exact_only=exact_only)

    def skipped(self, reason: str) -> None:
        """Count an answer that the caller chose not to store (cut off, refused, empty)."""
        self._tally.not_stored(reason)

    def faulted(self, where: str, error: BaseException) -> None:
        """Record a failure in an adapter of this cache."""
        self._faults.record(where, error, _ADVICE)

    # -- care ----------------------------------------------------------------

    def entry(self, entry_id: int) -> Entry | None:
        """Return the stored answer that a hit names, or ``None`` if it is gone."""
        return self._store.by_id(self._knobs.namespace, entry_id)

    def delete(self, entry_id: int | None = None, *, question: str | None = None) -> int:
        """Remove one entry by id, or every answer to a question in this namespace; return how many.

        Raises:
            ConfigurationError: neither or both are given.
        """
        if (entry_id is None) == (question is None):
            raise ConfigurationError("delete() takes either an entry id or question=, and exactly one of them")
        ids = [] if entry_id is None else [entry_id]
        if question is not None:
            ids = self._store.find(self._knobs.namespace, question_hash(question))
        gone = self._store.remove(self._knobs.namespace, ids)
        self._matcher.forget(ids)
        return gone

    def clear(self, *, everything: bool = False) -> int:
        """Remove the answers of this namespace, or with ``everything`` of all; return how many.

        The statistics stay: what was saved was saved.
        """
        gone = self._store.clear(None if everything else self._knobs.namespace)
        self._matcher.reset()
        return gone

    def stats(self) -> CacheStats:
        """Return what this namespace has served, refused and saved, over all processes and restarts."""
        namespace = self._knobs.namespace
        try:
            self._flush()
            counts = self._store.counters(namespace)
            entries = self._store.count(namespace)
        except Exception as error:
            self._faults.record("stats", error, _ADVICE)
            counts, entries = {}, 0
        for name, value in self._tally.pending().items():
            counts[name] = counts.get(name, 0) + value
        return make_stats(namespace, counts, entries=entries, faults=self._faults.counts)

    def explain(self, request: CacheRequest) -> Explanation:
        """Say how a request would be decided, without counting, serving or storing anything.

        A paid embedder is called once.
        """
        key = self._key(request)
        match = Match()
        if key.refused is None:
            match = self._matcher.exact(key, now=self._clock())
            if match.tier is None and not key.exact_only:
                vector = self._embedder.embed([key.question])[0]
                match, _ = self._matcher.nearest(key, vector, now=self._clock())
        candidate = self._matcher.candidate(match)
        gates: tuple[GateOpinion, ...] = ()
        if candidate is not None and match.tier != "exact":
            gates = self._acceptor.opinions(candidate.question, key.question)
        return explain(
            request,
            key,
            match,
            self._knobs,
            candidate=candidate,
            gates=gates,
            threshold=self._acceptor.threshold(key.question),
            elsewhere=() if match.tier else self._store.find(self._knobs.namespace, question_hash(key.question)),
        )

    def check(self) -> tuple[str, ...]:
        """Read the whole store and return what is wrong with it; empty if it is sound."""
        return tuple(self._store.audit())

    def close(self) -> None:
        """Write down the statistics and close the store. After this all is missed and nothing stored."""
        if self._closed:
            return
        self._closed = True
        self._last_words()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- steps ---------------------------------------------------------------

    def _off(self) -> Miss | None:
        """Return what every lookup finds while the cache is out of use."""
        if disabled():
            return DISABLED
        return CLOSED if self._closed else None

    def _key(self, request: CacheRequest) -> CacheKey:
        knobs = self._knobs
        key = make_key(
            request,
            namespace=knobs.namespace,
            question=knobs.question,
            declared=current_question(),
            max_temperature=knobs.max_temperature,
            admission=knobs.admission,
            context=knobs.context,
        )
        if key.exact_only or len(key.question) <= self._embedder.max_characters:
            return key
        return replace(key, exact_only=True, exact_only_reason="the question is longer than the embedder reads")

    def _exactly(self, request: CacheRequest) -> Hit | Miss | CacheKey:
        """Try the exact tier; return the key if the semantic tier is to be asked."""
        key: CacheKey | None = None
        try:
            key = self._key(request)
            if key.refused is not None:
                return Miss(verdict="skipped", key=key, reason=key.refused)
            match = self._matcher.exact(key, now=self._clock())
            if match.tier is not None:
                return match.outcome(key, None)
        except Exception as error:
            return self._fault("lookup", error, key)
        if key.exact_only:
            return Miss(verdict="miss", key=key, reason=key.exact_only_reason)
        return key

    def _embed(self, key: CacheKey) -> Vector | Miss:
        try:
            vector: Vector = self._embedder.embed([key.question])[0]
            return vector
        except Exception as error:
            return self._fault("embedding", error, key)

    async def _aembed(self, key: CacheKey) -> Vector | Miss:
        try:
            vector: Vector = (await self._embedder.aembed([key.question]))[0]
            return vector
        except Exception as error:
            return self._fault("embedding", error, key)

    def _nearby(self, key: CacheKey, embedded: Vector | Miss) -> Hit | Miss:
        """Try the semantic tier."""
        if isinstance(embedded, Miss):
            return embedded
        cost = LookupCost()
        try:
            cost = self._costs.embedding([key.question])
            match = Match()
            if embedded.any():
                match, others = self._matcher.nearest(key, embedded, now=self._clock())
                for other in others:
                    self._tally.cost(other)
            outcome = match.outcome(key, embedded)
        except Exception as error:
            outcome = replace(self._fault("lookup", error, key), vector=embedded)
        return replace(outcome, cost=cost)

    def _finish(self, outcome: Hit | Miss, decode: Decode, started: float) -> Hit | Miss:
        """Read the answer of a hit, or hold it back in observe mode; take the time; count."""
        if isinstance(outcome, Hit):
            try:
                outcome = replace(outcome, answer=decode(outcome.entry.payload))
            except Exception as error:
                outcome = replace(self._fault("reading a stored answer", error, outcome.key), cost=outcome.cost)
        if isinstance(outcome, Hit) and self._knobs.mode == "observe":
            outcome = Miss(
                verdict="observed_hit",
                key=outcome.key,
                reason="observe mode serves nothing",
                tier=outcome.tier,
                candidate=outcome.entry,
                similarity=outcome.similarity,
                cost=outcome.cost,
            )
        outcome = replace(outcome, cost=replace(outcome.cost, seconds=time.perf_counter() - started))
        try:
            self._tally.looked_up(outcome, now=self._clock())
            if self._tally.due():
                self._flush()
        except Exception as error:
            self._faults.record("statistics", error, _ADVICE)
        return outcome

    def _flush(self) -> None:
        _flush(self._store, self._tally, self._faults)

    def _fault(self, where: str, error: BaseException, key: CacheKey | None) -> Miss:
        if self._closed:
            return CLOSED
        self._faults.record(where, error, _ADVICE)
        return Miss(verdict="miss", key=key, reason=_reason(error))


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, StoreResting) else f"fault: {type(error).__name__}"


def _flush_at_last(store: EntryStore, tally: Tally, faults: Faults) -> None:
    store.rested()
    _flush(store, tally, faults)


def _flush(store: EntryStore, tally: Tally, faults: Faults) -> None:
    touches, counts = tally.take()
    try:
        store.tally(touches=touches, counts=counts)
    except Exception as error:
        tally.give_back(touches, counts)
        faults.record("statistics", error, _ADVICE)
