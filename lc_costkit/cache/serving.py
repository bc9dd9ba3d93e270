"""By which steps does a call get a stored answer?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from lc_costkit.backoff import StoreResting
from lc_costkit.cache.aside import calling_aside
from lc_costkit.cache.cost import Costs
from lc_costkit.cache.counts import Tally
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.declared import DeclaredQuestion, current_block
from lc_costkit.cache.index import Vector
from lc_costkit.cache.key import CacheKey, CacheRequest, make_key
from lc_costkit.cache.knobs import Knobs
from lc_costkit.cache.matcher import Match, Matcher
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.results import AsText, Hit, LookupCost, Miss, MissVerdict
from lc_costkit.cache.store import EntryStore
from lc_costkit.cache.verify import FreshAnswer
from lc_costkit.cache.verifying import SAMPLED, Ask, Verifier
from lc_costkit.cache.writing import Writer
from lc_costkit.cache.zone import ZoneKeeper
from lc_costkit.embedding import ReadyEmbedder
from lc_costkit.faults import Faults
from lc_costkit.threads import in_own_thread

Decode = Callable[[str], object]
"""Turns the JSON text of a stored answer into the caller's own objects."""


def as_it_is(payload: str) -> str:
    """Leave a payload as it is."""
    return payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What an adapter knows of a call that the cache does not.

    Attributes:
        decode: turns a stored payload into ``Hit.answer``.
        as_text: reads the text of a payload, for a judge.
        ask: asks the model the same again; ``None`` where the adapter has no model.
    """

    decode: Decode = as_it_is
    as_text: AsText = as_it_is
    ask: Ask | None = None


CLOSED = Miss(verdict="none", reason="the cache is closed")

ADVICE = "Call check() on the cache, and see that its file can be written and has room"

FINDER_ADVICE = "Have question= return a text, a DeclaredQuestion or None; until then calls match to the letter only"


class Server:
    """The steps of a lookup; none of them raises.

    Args:
        store: where the statistics are written.
        embedder: makes vectors.
        matcher: finds entries.
        costs: prices embedding calls.
        tally: counts.
        faults: where failures go.
        knobs: the settings.
        pairs: what the semantic tier saw is noted here.
        writer: stores fresh answers.
        zone: puts candidates to a judge; ``None`` without one.
        verifier: has would-be hits checked; ``None`` where that was not asked for.
    """

    def __init__(
        self,
        *,
        store: EntryStore,
        embedder: ReadyEmbedder,
        matcher: Matcher,
        costs: Costs,
        tally: Tally,
        faults: Faults,
        knobs: Knobs,
        pairs: PairLog,
        writer: Writer,
        zone: ZoneKeeper | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._matcher = matcher
        self._costs = costs
        self._tally = tally
        self._faults = faults
        self._knobs = knobs
        self._pairs = pairs
        self._writer = writer
        self._zone = zone
        self._verifier = verifier
        self.clock: Callable[[], float] = time.time
        self.closed = False

    def key(
        self, request: CacheRequest, *, look_only: bool = False, declared: DeclaredQuestion | None = None
    ) -> CacheKey:
        """Make the key of a request; the one step that may raise.

        Args:
            request: the call.
            look_only: leave no trace: neither in the ``question(...)`` block nor among the faults.
            declared: what to take as declared in the place of what the block around this call says.
        """
        knobs = self._knobs
        key = make_key(
            request,
            namespace=knobs.namespace,
            question=knobs.question,
            declared=current_block() if declared is None else declared,
            remember=not look_only,
            on_fault=None if look_only else self._finder_failed,
            max_temperature=knobs.max_temperature,
            admission=knobs.admission,
            context=knobs.context,
        )
        if key.exact_only or len(key.question) <= self._embedder.max_characters:
            return key
        return replace(key, exact_only=True, exact_only_reason="the question is longer than the embedder reads")

    def in_its_own_words(self, request: CacheRequest) -> tuple[CacheKey, Match] | None:
        """Find what is stored for the very text of the first call of a ``question(..., scope=...)`` block.

        Steps of one chain run at the same time may come first in another order the next time. A text that
        was answered as a later step keeps that answer, and leaves the scope to the step that has it.
        """
        block = current_block()
        if block is None or block.declared.scope is None or not block.unused:
            return None
        key = self.key(request, look_only=True, declared=DeclaredQuestion(block.declared.text))
        if key.refused is not None:
            return None
        match = self._matcher.exact(key, now=self.clock())
        if match.tier is None:
            return None
        told = f"scope {block.declared.scope!r} is not needed: this very text around the question is stored"
        return replace(key, declared_scope=told), match

    def _finder_failed(self, error: Exception) -> None:
        self._faults.record("question", error, FINDER_ADVICE, may_quote=True)

    def exactly(self, request: CacheRequest) -> Hit | Miss | CacheKey:
        """Try the exact tier; return the key if the semantic tier is to be asked."""
        key: CacheKey | None = None
        try:
            found = self.in_its_own_words(request)
            if found is not None:
                return found[1].outcome(found[0], None)
            key = self.key(request)
            if key.refused is not None:
                return Miss(verdict="skipped", key=key, reason=key.refused)
            match = self._matcher.exact(key, now=self.clock())
            if match.tier is not None:
                return match.outcome(key, None)
        except Exception as error:
            return self.fault("lookup", error, key)
        if key.exact_only:
            return Miss(verdict="miss", key=key, reason=key.exact_only_reason)
        return key

    def embed(self, key: CacheKey) -> Vector | Miss:
        """Embed the question."""
        try:
            with calling_aside("lookup"):
                vector: Vector = self._embedder.embed([core_of(key.question)])[0]
            return vector
        except Exception as error:
            return self.fault("embedding", error, key)

    async def aembed(self, key: CacheKey) -> Vector | Miss:
        """Do what ``embed`` does without blocking the event loop."""
        try:
            with calling_aside("lookup"):
                vector: Vector = (await self._embedder.aembed([core_of(key.question)]))[0]
            return vector
        except Exception as error:
            return self.fault("embedding", error, key)

    def nearby(self, key: CacheKey, embedded: Vector | Miss) -> Hit | Miss:
        """Try the semantic tier."""
        if isinstance(embedded, Miss):
            return embedded
        cost = LookupCost()
        try:
            cost = self._costs.embedding([core_of(key.question)])
            match = Match()
            if embedded.any():
                match, others = self._matcher.nearest(key, embedded, now=self.clock())
                for other in others:
                    self._tally.cost(other)
            outcome = match.outcome(key, embedded)
        except Exception as error:
            outcome = replace(self.fault("lookup", error, key), vector=embedded)
        return replace(outcome, cost=cost)

    async def ajudged(self, outcome: Hit | Miss, caller: Caller) -> Hit | Miss:
        """Do what ``judged`` does without blocking the event loop, or the quick steps of other lookups."""
        if self._zone is None or not self._zone.asks(outcome):
            return outcome
        return await in_own_thread(self._zone.judged, outcome, caller.as_text)

    def judged(self, outcome: Hit | Miss, caller: Caller) -> Hit | Miss:
        """Put a candidate in the grey zone to the judge; this may take as long as a model does."""
        if self._zone is None:
            return outcome
        return self._zone.judged(outcome, caller.as_text)

    def finish(self, outcome: Hit | Miss, request: CacheRequest, caller: Caller, started: float) -> Hit | Miss:
        """Read the answer of a hit, or hold it back; draw what is to be checked; take the time; count."""
        if isinstance(outcome, Hit):
            try:
                outcome = replace(outcome, answer=caller.decode(outcome.entry.payload))
            except Exception as error:
                fault = self.fault("reading a stored answer", error, outcome.key)
                outcome = replace(fault, cost=outcome.cost, seen=outcome.seen)
        verifier = self._verifier
        check = None if verifier is None else verifier.drawn(outcome, caller.as_text)
        ask = None if verifier is None or check is None else verifier.asker(request, caller.ask)
        if isinstance(outcome, Hit) and self._knobs.mode == "observe":
            outcome = _held_back(outcome, verdict="observed_hit", reason="observe mode serves nothing")
        elif isinstance(outcome, Hit) and check is not None and ask is None:
            outcome = _held_back(outcome, verdict="miss", reason=SAMPLED)
        if outcome.seen is not None:
            seen = replace(outcome.seen, served=isinstance(outcome, Hit), seen_at=self.clock())
            outcome = replace(outcome, seen=seen)
            self._pairs.note(seen)
            check = None if check is None else replace(check, seen=seen)
        if verifier is not None and check is not None:
            if isinstance(outcome, Miss):
                outcome = replace(outcome, check=check)
            elif ask is not None:
                verifier.ask_again(check, ask, request.model, partial(self._keep, request, outcome))
        outcome = replace(outcome, cost=replace(outcome.cost, seconds=time.perf_counter() - started))
        try:
            self._tally.looked_up(outcome, now=self.clock())
            if self._tally.due():
                self.flush()
        except Exception as error:
            self._faults.record("statistics", error, ADVICE)
        return outcome

    def _keep(self, request: CacheRequest, hit: Hit, fresh: FreshAnswer) -> None:
        """Store the answer to a question that was just served a wrong one."""
        if fresh.payload is None:
            return
        try:
            self._writer.write(
                hit.key,
                request,
                fresh.payload,
                reading=fresh.reading,
                vector=hit.vector,
                exact_only=False,
                clock=self.clock,
            )
        except Exception as error:
            self.fault("store", error, hit.key)

    def flush(self) -> None:
        """Write down what was counted."""
        flush(self._store, self._tally, self._faults)

    def fault(self, where: str, error: BaseException, key: CacheKey | None) -> Miss:
        """Record a failure and return the miss it becomes."""
        if self.closed:
            return CLOSED
        self._faults.record(where, error, ADVICE)
        return Miss(verdict="miss", key=key, reason=reason_of(error))


def _held_back(hit: Hit, *, verdict: MissVerdict, reason: str) -> Miss:
    return Miss(
        verdict=verdict,
        key=hit.key,
        reason=reason,
        tier=hit.tier if verdict == "observed_hit" else None,
        candidate=hit.entry,
        similarity=hit.similarity,
        cost=hit.cost,
        vector=hit.vector,
        seen=hit.seen,
    )


def reason_of(error: BaseException) -> str:
    """Say in a few words what failed."""
    return str(error) if isinstance(error, StoreResting) else f"fault: {type(error).__name__}"


def flush(store: EntryStore, tally: Tally, faults: Faults) -> None:
    """Write down what was counted, or keep it for later."""
    touches, counts = tally.take()
    try:
        store.tally(touches=touches, counts=counts)
    except Exception as error:
        tally.give_back(touches, counts)
        faults.record("statistics", error, ADVICE)


def flush_at_last(store: EntryStore, tally: Tally, faults: Faults) -> None:
    """Write down what was counted when there is no later."""
    store.rested()
    flush(store, tally, faults)
