"""How does a model call go through the cache, whichever framework made it?"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Self

from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.cache.aside import current_aside
from lc_costkit.cache.care import Care
from lc_costkit.cache.gates import Gate
from lc_costkit.cache.judging import GreyZone
from lc_costkit.cache.key import MAX_TEMPERATURE, CacheKey, CacheRequest, Context, QuestionFinder
from lc_costkit.cache.knobs import MAX_ERROR_RATE, Knobs
from lc_costkit.cache.pair_log import NEAR_HITS
from lc_costkit.cache.parts import assemble
from lc_costkit.cache.policy import Policy
from lc_costkit.cache.results import AsText, Hit, Miss
from lc_costkit.cache.serving import ADVICE, CLOSED, Caller, Decode, as_it_is, flush_at_last, reason_of
from lc_costkit.cache.verify import Sampled
from lc_costkit.cache.verifying import CLOSING_SECONDS, Ask
from lc_costkit.embedding import BundledEmbedder, as_embedder, bundled_embedder
from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import PriceBook
from lc_costkit.switch import disabled
from lc_costkit.threads import off_loop
from lc_costkit.usage import UsageReading

ASIDE = Miss(verdict="none", reason="the cache itself makes this call")
DISABLED = Miss(verdict="none", reason="LC_COSTKIT_DISABLE is set")


class Cache(Care):
    """A cache of model answers that also serves other wordings of a stored question.

    Safe to share between threads; several processes may share one file. After it is
    constructed, ``lookup`` and ``store`` do not raise: what fails becomes a miss, or an
    answer that is not stored, with one warning and a count in ``stats()``. Nor do they wait:
    a store that is locked costs a call a quarter of a second, and is then left alone for
    5 seconds, doubling to a minute, before the next call tries it again.

    Args:
        path_or_url: a SQLite file, ``":memory:"``, or a PostgreSQL URL.
        policy: how candidates are decided: ``"strict"`` for answers that must not be wrong,
            ``"balanced"`` for more hits, or a ``Policy`` of your own.
        max_error_rate: the share of semantic hits that may be wrong, above 0 to 0.5. A target until
            labels certify it: see ``calibrate``, and ``stats()`` for what is certified.
        similarity_threshold: a bare cosine from which candidates are served that the gates let pass,
            0 to 1; ``None`` leaves it to the policy.
        judge: whom to ask about candidates between two scores, while the caller waits.
        verify: which share of the semantic hits to check against a fresh answer of the model.
        embedder: what turns questions into vectors (see ``lc_costkit.embedding.as_embedder``);
            ``None`` takes the bundled one, which runs offline.
        gates: what may refuse a candidate; ``()`` turns them off, ``None`` takes the policy's.
        admission: rules about what is cached at all; ``()`` turns them off.
        ttl: how long an answer is served, as ``timedelta`` or seconds; ``None`` is as long as it was
            stored for. The shorter of the two holds.
        max_entries: how many answers to keep; the least recently used go first.
        namespace: keeps tenants or uses apart that share a file.
        mode: ``observe`` looks up and stores, but serves nothing.
        question: finds the question in a request; ``None`` leaves it to the general rule.
        context: which earlier turns must be equal (see ``make_key``).
        max_temperature: requests that state a higher sampling temperature are not cached.
        near_hits: how many decisions about candidates are kept to be labelled, the newest; 0 keeps
            none but those that ``verify`` has a verdict about. They hold both questions and outlive the
            answers; ``delete(question=...)`` and ``clear()`` take them along.
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
        policy: str | Policy = "strict",
        max_error_rate: float = MAX_ERROR_RATE,
        similarity_threshold: float | None = None,
        judge: GreyZone | None = None,
        verify: Sampled | None = None,
        embedder: object | None = None,
        gates: Iterable[Gate] | None = None,
        admission: Iterable[AdmissionRule] | None = None,
        ttl: timedelta | float | None = None,
        max_entries: int | None = None,
        namespace: str = "default",
        mode: str = "on",
        question: QuestionFinder | None = None,
        context: Context = "history",
        max_temperature: float = MAX_TEMPERATURE,
        near_hits: int = NEAR_HITS,
        prices: PriceBook | None = None,
    ) -> None:
        knobs = Knobs.checked(
            policy=policy,
            max_error_rate=max_error_rate,
            similarity_threshold=similarity_threshold,
            judge=judge,
            verify=verify,
            gates=gates,
            admission=admission,
            ttl=ttl,
            max_entries=max_entries,
            namespace=namespace,
            mode=mode,
            question=question,
            context=context,
            max_temperature=max_temperature,
            near_hits=near_hits,
        )
        if prices is not None and not isinstance(prices, PriceBook):
            raise ConfigurationError(f"prices must be a PriceBook(...), not {prices!r:.200}")
        super().__init__(
            assemble(
                path_or_url,
                knobs,
                embedder=bundled_embedder() if embedder is None else as_embedder(embedder),
                prices=PriceBook() if prices is None else prices,
            )
        )
        # Most applications never close a cache: what is pending is written when it goes or the process ends.
        self._last_words = weakref.finalize(self, flush_at_last, self._store, self._tally, self._faults)
        if self._verifier is not None:
            weakref.finalize(self, self._verifier.background.give_up)

    # -- calls ---------------------------------------------------------------

    def lookup(
        self,
        request: CacheRequest,
        *,
        decode: Decode = as_it_is,
        as_text: AsText = as_it_is,
        ask: Ask | None = None,
    ) -> Hit | Miss:
        """Return the stored answer that may stand for this call, or why there is none. Never raises.

        Args:
            request: the call.
            decode: turns a stored payload into ``Hit.answer``; a payload it cannot read is a miss.
            as_text: reads the text of a stored payload, for a judge.
            ask: asks the model the same again, to check what was served; without it, a call that is drawn
                to be checked is a miss whose answer is compared when it is stored.
        """
        off = self._off()
        if off is not None:
            return off
        started, server = time.perf_counter(), self._server
        caller = Caller(decode=decode, as_text=as_text, ask=ask)
        outcome = server.exactly(request)
        if isinstance(outcome, CacheKey):
            outcome = server.judged(server.nearby(outcome, server.embed(outcome)), caller)
        return server.finish(outcome, request, caller, started)

    async def alookup(
        self,
        request: CacheRequest,
        *,
        decode: Decode = as_it_is,
        as_text: AsText = as_it_is,
        ask: Ask | None = None,
    ) -> Hit | Miss:
        """Do what ``lookup`` does without blocking the event loop."""
        if not self.may_wait:
            return await off_loop(self.lookup, request, decode=decode, as_text=as_text, ask=ask)
        off = self._off()
        if off is not None:
            return off
        started, server = time.perf_counter(), self._server
        caller = Caller(decode=decode, as_text=as_text, ask=ask)
        outcome = await off_loop(server.exactly, request)
        if isinstance(outcome, CacheKey):
            embedded = await server.aembed(outcome)
            outcome = await off_loop(server.nearby, outcome, embedded)
            outcome = await server.ajudged(outcome, caller)
        return await off_loop(server.finish, outcome, request, caller, started)

    @property
    def may_wait(self) -> bool:
        """Whether a lookup may have to wait for somebody else's embedder, or for a judge."""
        return self._knobs.judge is not None or not isinstance(self._embedder, BundledEmbedder)

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
            The entry's id, or ``None`` where it was not stored, or is first compared with what would have
            been served. Never raises.
        """
        if self._off() is not None:
            return None
        check, verifier = None if miss is None else miss.check, self._verifier
        observed = miss is not None and miss.verdict == "observed_hit"
        if check is None or verifier is None:
            # What observe mode would have served is there already.
            return None if observed else self._write(request, payload, reading, miss, exact_only=exact_only)
        if observed:
            verifier.compare(check, payload)
            return None
        if check.observed:
            verifier.compare(check, payload)
            return self._write(request, payload, reading, miss, exact_only=exact_only)
        # What would have been served may turn out to be the same answer: then nothing needs to be stored.
        verifier.compare(
            check,
            payload,
            lambda another: self._write(request, payload, reading, miss, exact_only=exact_only or not another),
        )
        return None

    def _write(
        self, request: CacheRequest, payload: str, reading: UsageReading | None, miss: Miss | None, *, exact_only: bool
    ) -> int | None:
        try:
            key = self._server.key(request) if miss is None or miss.key is None else miss.key
            if key.refused is not None:
                self._tally.not_stored(key.refused)
                return None
            vector = None if miss is None else miss.vector
            return self._writer.write(
                key, request, payload, reading=reading, vector=vector, exact_only=exact_only, clock=self._server.clock
            )
        except Exception as error:
            if self._server.closed:
                return None
            self._faults.record("store", error, ADVICE)
            self._tally.not_stored(reason_of(error))
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

    def skipped(self, reason: str, *, miss: Miss | None = None) -> None:
        """Count an answer that the caller chose not to store (cut off, refused, empty)."""
        self._tally.not_stored(reason)
        if miss is not None and miss.check is not None and self._verifier is not None:
            self._verifier.unanswered()

    def faulted(self, where: str, error: BaseException) -> None:
        """Record a failure in an adapter of this cache."""
        self._faults.record(where, error, ADVICE)

    def close(self) -> None:
        """Write down the statistics and close the store. After this all is missed and nothing stored.

        ``stats()`` then returns what they were at the close. Checks under way get 5 seconds; those that
        are left are given up and counted.
        """
        if self._server.closed:
            return
        self._server.closed = True
        if self._verifier is not None:
            self._verifier.background.close(CLOSING_SECONDS)
        self._last_words()
        self._at_close = self.stats()
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
        if current_aside() is not None:
            return ASIDE
        return CLOSED if self._server.closed else None
