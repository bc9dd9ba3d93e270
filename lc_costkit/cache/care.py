"""What can be asked of a cache, and told to it, outside of a model call?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from lc_costkit.cache.calibration import Calibration
from lc_costkit.cache.explain import Explanation, explain
from lc_costkit.cache.feedback import Rejectable
from lc_costkit.cache.key import CacheRequest
from lc_costkit.cache.knobs import checked_error_rate
from lc_costkit.cache.parts import Parts
from lc_costkit.cache.policy_report import PolicyReport
from lc_costkit.cache.recommend import MOST_DECISIONS, Traffic, recommend
from lc_costkit.cache.seen_pairs import LoggedPair
from lc_costkit.cache.serving import ADVICE
from lc_costkit.cache.stats import CacheStats, Verified, make_stats
from lc_costkit.cache.store import Entry
from lc_costkit.cache.text import question_hash
from lc_costkit.cache.verifying import verified_now
from lc_costkit.cache.withdrawing import withdraw
from lc_costkit.errors import ConfigurationError, StoreError


class Care:
    """The side of a cache that people and programs use between calls.

    Args:
        parts: what the cache works with.
    """

    def __init__(self, parts: Parts) -> None:
        self._knobs = parts.knobs
        self._embedder = parts.embedder
        self._faults = parts.faults
        self._store = parts.store
        self._acceptor = parts.acceptor
        self._pairs = parts.pairs
        self._points = parts.points
        self._learning = parts.learning
        self._matcher = parts.matcher
        self._tally = parts.tally
        self._writer = parts.writer
        self._verifier = parts.verifier
        self._server = parts.server
        self._feedback = parts.feedback
        self._calibrator = parts.calibrator
        self._at_close: CacheStats | None = None

    def entry(self, entry_id: int) -> Entry | None:
        """Return the stored answer that a hit names, or ``None`` if it is gone.

        Raises:
            StoreError: the store cannot be used now.
        """
        return next(iter(self._store.held(self._knobs.namespace, [entry_id])), None)

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
                question, right or wrong) tuples, ``None`` in place of a label nobody gave. Each distinct
                pair counts once, however often it is given, and one with an empty question or the same
                one twice not at all (``Calibration.distinct``); decisions of the traffic are events, and
                may repeat. Given pairs are scored without the store around them (see
                ``OperatingPoint.alone``). Without ``pairs`` it is what lookups have seen of this traffic,
                with the scores they gave and what people said of the pairs that were drawn for them
                (``costkit cache label``, ``draw_pairs()``).
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

    def forget_verdicts(self) -> int:
        """Take back what live checks have done, where it was their judge that was wrong; return how many verdicts went.

        Entries that were demoted are matched by meaning again, in other processes when they next read
        them, and a point that was raised because of the checks makes way for the policy's, everywhere. A
        certificate that was withdrawn takes calibrating again. What the checks cost stays counted.

        Raises:
            StoreError: the store cannot be used now.
        """
        self._server.flush()
        gone = withdraw(self._store, self._points, namespace=self._knobs.namespace, decider=self._acceptor.identity)
        self._matcher.reset()
        self._learning.load()
        return gone

    def draw_pairs(self, count: int, *, seed: int | None = None) -> list[LoggedPair]:
        """Draw pairs to be labelled with ``label_pair``, of all that the gates let pass with the same chance.

        Two questions that were labelled before are not returned; they get their label again when the next
        pair of the draw is labelled.

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
        rejections. Other processes may still write down what they saw of it in the last second, and a check
        that is under way what it compared: with ``verify``, ``flush()`` first.

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
        """Return what this namespace has served, refused and saved, over all processes and restarts.

        A closed cache returns what its statistics were when it was closed; another one on the same store knows more.
        """
        if self._at_close is not None:
            return self._at_close
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
            verified=verified_now(self._pairs, self._acceptor, self._faults) if counts.get("checks") else Verified(),
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
        with self._store.asked():
            counts = self._store.counters(self._knobs.namespace)
        traffic = Traffic(
            namespace=self._knobs.namespace,
            logged=logged,
            counts=counts,
            answer_usd=self._store.answer_usd(self._knobs.namespace, entries),
            refuses=self._learning.refuses,
        )
        return recommend(
            traffic,
            embedder=self._embedder,
            present=self._acceptor,
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
        with self._store.asked():
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

        Closing a cache has done so: for a closed one there is nothing to do.

        Args:
            timeout_seconds: how long to wait at most; ``None`` is as long as the model and the judge take.

        Returns:
            Whether every check was done.
        """
        if self._server.closed:
            return True
        done = self._verifier is None or self._verifier.background.flush(timeout_seconds)
        self._server.flush()
        return done

    def check(self) -> tuple[str, ...]:
        """Read the whole store and return what is wrong with it; empty if it is sound."""
        try:
            with self._store.asked():
                found = self._store.audit()
        except StoreError as error:
            return (str(error),)
        for part in (self._pairs, self._points):
            try:
                found += part.audit()
            except (StoreError, SQLAlchemyError) as error:
                found.append(f"pairs or operating points cannot be read: {type(error).__name__}")
        return tuple(found)


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number above 0, not {value!r}")
