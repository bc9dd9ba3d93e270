"""How does a model call go through the cache, whichever framework made it?"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy.exc import SQLAlchemyError

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.cache.aside import current_aside
from lc_costkit.cache.calibrating import Calibrator
from lc_costkit.cache.calibration import Calibration
from lc_costkit.cache.cost import Costs
from lc_costkit.cache.counts import Tally
from lc_costkit.cache.explain import Explanation, explain
from lc_costkit.cache.feedback import Feedback, Rejectable
from lc_costkit.cache.gates import Gate
from lc_costkit.cache.judging import GreyZone
from lc_costkit.cache.key import MAX_TEMPERATURE, CacheKey, CacheRequest, Context, QuestionFinder
from lc_costkit.cache.knobs import MAX_ERROR_RATE, Knobs, checked_error_rate
from lc_costkit.cache.learning import Learning
from lc_costkit.cache.matcher import Matcher
from lc_costkit.cache.pair_log import NEAR_HITS, PairLog
from lc_costkit.cache.points import PointStore
from lc_costkit.cache.policy import Policy
from lc_costkit.cache.policy_report import PolicyReport
from lc_costkit.cache.recommend import MOST_DECISIONS, Traffic, recommend
from lc_costkit.cache.results import AsText, Hit, Miss
from lc_costkit.cache.seen_pairs import LoggedPair
from lc_costkit.cache.serving import ADVICE, CLOSED, Caller, Decode, Server, as_it_is, flush_at_last, reason_of
from lc_costkit.cache.stats import CacheStats, make_stats
from lc_costkit.cache.store import Entry, EntryStore
from lc_costkit.cache.text import question_hash
from lc_costkit.cache.threads import off_loop
from lc_costkit.cache.verify import Sampled
from lc_costkit.cache.verifying import CLOSING_SECONDS, Ask, Verifier, verified_now
from lc_costkit.cache.writing import Writer
from lc_costkit.cache.zone import ZoneKeeper
from lc_costkit.embedding import BundledEmbedder, ReadyEmbedder, as_embedder, bundled_embedder
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.faults import Faults
from lc_costkit.pricing import PriceBook
from lc_costkit.switch import disabled
from lc_costkit.usage import UsageReading

_logger = logging.getLogger(__name__)

ASIDE = Miss(verdict="none", reason="the cache itself makes this call")
DISABLED = Miss(verdict="none", reason="LC_COSTKIT_DISABLE is set")


class Cache:
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
            none. They hold both questions and outlive the answers; ``delete(question=...)`` and
            ``clear()`` take them along.
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
        self._knobs = Knobs.checked(
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
        self._embedder: ReadyEmbedder = bundled_embedder() if embedder is None else as_embedder(embedder)
        self._embedder.embed(["Is this embedder ready to be used?"])
        self._prices = PriceBook() if prices is None else prices
        self._costs = Costs(self._prices, self._embedder)
        self._faults = Faults(_logger)
        self._store = EntryStore(path_or_url)
        acceptor = Acceptor(
            self._embedder,
            policy=self._knobs.policy,
            gates=self._knobs.gates,
            similarity_threshold=self._knobs.similarity_threshold,
            zone=self._knobs.judge,
        )
        decider = {"namespace": namespace, "decider": acceptor.identity}
        self._pairs = PairLog(self._store, keep=self._knobs.near_hits, faults=self._faults, **decider)
        self._store.passenger = self._pairs.ride_along
        self._points = PointStore(self._store, **decider)
        self._learning = Learning(
            self._pairs, self._points, acceptor, max_error_rate=self._knobs.max_error_rate, faults=self._faults
        )
        self._learning.load()
        self._matcher = Matcher(
            self._store,
            self._embedder,
            acceptor,
            self._costs,
            self._learning,
            namespace=namespace,
            ttl_seconds=self._knobs.ttl_seconds,
        )
        self._acceptor = acceptor
        self._tally = Tally(namespace)
        self._writer = Writer(
            self._store, self._matcher, self._embedder, self._costs, self._tally, self._faults, self._knobs
        )
        zone, sampled = self._knobs.judge, self._knobs.verify
        self._verifier = (
            None
            if sampled is None
            else Verifier(
                sampled,
                observing=self._knobs.mode == "observe",
                namespace=namespace,
                max_error_rate=self._knobs.max_error_rate,
                store=self._store,
                matcher=self._matcher,
                acceptor=acceptor,
                log=self._pairs,
                points=self._points,
                tally=self._tally,
                faults=self._faults,
                prices=self._prices,
            )
        )
        self._server = Server(
            store=self._store,
            embedder=self._embedder,
            matcher=self._matcher,
            costs=self._costs,
            tally=self._tally,
            faults=self._faults,
            knobs=self._knobs,
            pairs=self._pairs,
            writer=self._writer,
            zone=None if zone is None else ZoneKeeper(zone, acceptor, self._tally, self._faults, self._prices),
            verifier=self._verifier,
        )
        self._feedback = Feedback(
            self._store, self._pairs, self._matcher, namespace=namespace, flush=self._server.flush
        )
        self._calibrator = Calibrator(
            embedder=self._embedder,
            acceptor=acceptor,
            admission=self._knobs.admission,
            log=self._pairs,
            points=self._points,
            learning=self._learning,
            max_error_rate=self._knobs.max_error_rate,
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
        if not self.embeds_remotely:
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
            outcome = await off_loop(server.judged, outcome, caller)
        return await off_loop(server.finish, outcome, request, caller, started)

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

    # -- care ----------------------------------------------------------------

    def entry(self, entry_id: int) -> Entry | None:
        """Return the stored answer that a hit names, or ``None`` if it is gone."""
        return self._store.by_id(self._knobs.namespace, entry_id)

    def reject(self, answer_or_id: Rejectable, *, question: str | None = None) -> int:
        """Remove an answer that was wrong, and never serve it to that question again.

        The pair of questions is remembered as different, in both directions and by every process:
        also where the stored question is asked and answered anew. An answer that is wrong for its own
        question is only removed. A rejection is no random draw, so it certifies nothing.

        Args:
            answer_or_id: a ``Hit``, the mark of one (``CacheMark`` or its mapping), an entry's id, or
                several ids. The adapters' ``reject`` takes the answers they served.
            question: the question that was answered wrongly. Without it, a ``Hit`` says it itself; for
                the others it is the one that was last served this answer in another wording.

        Returns:
            How many entries went; 0 where somebody else was first.

        Raises:
            ConfigurationError: it names no answer that the cache has served or holds.
            StoreError: the store cannot be used now.
        """
        return self._feedback.reject(answer_or_id, question=question)

    def label(self, cached: str, new: str, *, same: bool) -> int:
        """Say whether the answer to one question is right for another; return the label's number.

        ``same=True`` takes back a rejection of the two.

        Raises:
            ConfigurationError: a question is blank, or ``same`` is no ``bool``.
        """
        return self._feedback.label(cached, new, same=same)

    def calibrate(
        self,
        pairs: Iterable[Any] | None = None,
        *,
        max_error_rate: float | None = None,
        confidence: float = 0.95,
        learn: bool = False,
    ) -> Calibration:
        """Find the score from which labels certify the error rate, and serve from it, here and in every process.

        Where nothing can be certified, everything stays as it is, and the result says how many more
        labels it takes. A point holds for this embedder, these gates and this policy, until it is
        calibrated again or live verdicts tighten it; see ``lc_costkit.cache.calibration`` for what is
        promised, and on which assumption.

        Args:
            pairs: random draws from the traffic: ``LabelledPair`` objects or (stored question, new
                question, right or wrong) tuples, ``None`` in place of a label nobody gave. They are
                scored without the store around them (see ``OperatingPoint.alone``). Without ``pairs`` it
                is what lookups have seen of this traffic, with the scores they gave and what people
                said of the pairs that were drawn for them (``costkit cache label``, ``draw_pairs()``).
            max_error_rate: the share of semantic hits that may be wrong; ``None`` is that of the cache.
                What is found for more than that is told and not taken up.
            confidence: how sure that is to be, above .5 and below 1.
            learn: also fit a veto on half of the labels, and keep it if more can be served with it.

        Raises:
            ConfigurationError: there are no labels, or something is out of range.
            StoreError: the store cannot be used now.
        """
        self._server.flush()
        rate = self._knobs.max_error_rate if max_error_rate is None else checked_error_rate(max_error_rate)
        return self._calibrator.calibrate(pairs, max_error_rate=rate, confidence=confidence, learn=learn)

    def draw_pairs(self, count: int, *, seed: int | None = None) -> list[LoggedPair]:
        """Draw pairs to be labelled with ``label_pair``, of all that the gates let pass with the same chance.

        Two questions that were labelled before get their label again, and are not returned.

        Args:
            count: how many at most.
            seed: makes the draw repeatable.

        Raises:
            ConfigurationError: ``count`` is not a whole number above 0.
        """
        _check_count("draw_pairs(count)", count)
        self._server.flush()
        return self._pairs.sample(count, seed=seed)

    def label_pair(self, pair_id: int, *, same: bool | None) -> None:
        """Label one of ``draw_pairs()`` or ``near_hits()``; ``None`` takes its label back.

        Only drawn pairs certify anything: label all of a draw, or the first so many, since to choose
        among them lets labels say something else than the traffic.

        Raises:
            ConfigurationError: there is no such pair.
        """
        self._pairs.label(pair_id, same)

    def near_hits(self, limit: int = 50, *, labelled: bool | None = None) -> list[LoggedPair]:
        """Return what the semantic tier decided last, served or not, the newest first.

        Args:
            limit: how many at most.
            labelled: only those with a label, or only those without.

        Raises:
            ConfigurationError: ``limit`` is not a whole number above 0.
        """
        _check_count("near_hits(limit)", limit)
        self._server.flush()
        return self._pairs.newest(limit, labelled=labelled)

    def find_answers(self, fragment: str, is_it: Callable[[str], bool]) -> list[int]:
        """Return the ids of the entries of this namespace whose answer is the one looked for.

        Args:
            fragment: a text that stands in its payload as a whole JSON string.
            is_it: reads a payload and decides; one that it cannot read was never served.
        """
        return self._store.holding(self._knobs.namespace, fragment, is_it)

    def delete(self, entry_id: int | None = None, *, question: str | None = None) -> int:
        """Remove one entry by id, or every answer to a question in this namespace; return how many.

        With a question, whatever was noted about it goes, too: pairs that hold it, their labels and
        rejections. Other processes may still write down what they saw of it in the last second.

        Raises:
            ConfigurationError: neither or both are given.
        """
        if (entry_id is None) == (question is None):
            raise ConfigurationError("delete() takes either an entry id or question=, and exactly one of them")
        ids = [] if entry_id is None else [entry_id]
        if question is not None:
            ids = self._store.find(self._knobs.namespace, question_hash(question))
            self._pairs.forget(question)
        gone = self._store.remove(self._knobs.namespace, ids)
        self._matcher.forget(ids)
        return gone

    def clear(self, *, everything: bool = False, keep_labels: bool = False) -> int:
        """Remove the answers of this namespace, or with ``everything`` of all; return how many.

        The statistics stay: what was saved was saved. So does the operating point, which holds no
        text. The pairs of questions go with the answers, and with ``keep_labels`` only those go that
        have no label: labels and rejections then hold for the answers to come.
        """
        self._pairs.clear(everything=everything, keep_labels=keep_labels)
        gone = self._store.clear(None if everything else self._knobs.namespace)
        self._matcher.reset()
        return gone

    def stats(self) -> CacheStats:
        """Return what this namespace has served, refused and saved, over all processes and restarts."""
        namespace = self._knobs.namespace
        try:
            self._server.flush()
            counts = self._store.counters(namespace)
            entries = self._store.count(namespace)
        except Exception as error:
            self._faults.record("stats", error, ADVICE)
            counts, entries = {}, 0
        for name, value in self._tally.pending().items():
            counts[name] = counts.get(name, 0) + value
        return make_stats(
            namespace,
            counts,
            entries=entries,
            faults=self._faults.counts,
            point=self._acceptor.point,
            verified=verified_now(self._pairs, self._acceptor, self._faults) if counts.get("checks") else (0, 0),
        )

    def recommend(self, max_error_rate: float | None = None, *, confidence: float = 0.95) -> PolicyReport:
        """Say what each policy would have served on the traffic so far, how often wrongly, and which one to take.

        Made for observe mode with ``verify=Sampled(...)``, whose verdicts say how often; it works on any traffic.
        See ``lc_costkit.cache.recommend`` for what it assumes.

        Args:
            max_error_rate: share of semantic hits that may be wrong; ``None`` is that of the cache.
            confidence: with which the intervals of all policies hold together, above 0 and below 1.

        Raises:
            ConfigurationError: an argument is out of range.
            StoreError: the store cannot be read.
        """
        accepted = self._knobs.max_error_rate if max_error_rate is None else checked_error_rate(max_error_rate)
        given: object = confidence
        if not isinstance(given, int | float) or isinstance(given, bool) or not 0 < given < 1:
            raise ConfigurationError(f"confidence must be above 0 and below 1, not {confidence!r}; .95 is usual")
        self._server.flush()
        logged = self._pairs.newest(MOST_DECISIONS)
        entries = sorted({pair.entry_id for pair in logged if pair.entry_id is not None})
        traffic = Traffic(
            namespace=self._knobs.namespace,
            logged=logged,
            counts=self._store.counters(self._knobs.namespace),
            answer_usd=self._store.answer_usd(self._knobs.namespace, entries),
            refuses=self._learning.refuses,
        )
        return recommend(
            traffic,
            embedder=self._embedder,
            present=self._acceptor,
            policy=self._knobs.policy,
            max_error_rate=accepted,
            confidence=confidence,
        )

    def explain(self, request: CacheRequest) -> Explanation:
        """Say how a request would be decided, without counting, serving or storing anything.

        Neither a model nor a judge is asked; a paid embedder is called once.

        Raises:
            EmbedderError: the embedder fails its contract.
            StoreError: the store cannot be read now.
        """
        return explain(
            request,
            server=self._server,
            matcher=self._matcher,
            acceptor=self._acceptor,
            learning=self._learning,
            store=self._store,
            embedder=self._embedder,
            knobs=self._knobs,
        )

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the checks under way (see ``verify``) and write down the statistics.

        Args:
            timeout_seconds: how long to wait at most; ``None`` is as long as the model and the judge take.

        Returns:
            Whether every check was done.
        """
        done = self._verifier is None or self._verifier.background.flush(timeout_seconds)
        self._server.flush()
        return done

    def check(self) -> tuple[str, ...]:
        """Read the whole store and return what is wrong with it; empty if it is sound."""
        found = self._store.audit()
        for part in (self._pairs, self._points):
            try:
                found += part.audit()
            except (StoreError, SQLAlchemyError) as error:
                found.append(f"pairs or operating points cannot be read: {type(error).__name__}")
        return tuple(found)

    def close(self) -> None:
        """Write down the statistics and close the store. After this all is missed and nothing stored.

        Checks under way get 5 seconds; those that are left are given up and counted.
        """
        if self._server.closed:
            return
        self._server.closed = True
        if self._verifier is not None:
            self._verifier.background.close(CLOSING_SECONDS)
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
        if current_aside() is not None:
            return ASIDE
        return CLOSED if self._server.closed else None


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number above 0, not {value!r}")
