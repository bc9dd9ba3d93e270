"""How is a served answer checked against a fresh one, and what follows from the verdict?"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.aside import calling_aside
from lc_costkit.cache.background import Background, Job
from lc_costkit.cache.counts import Tally
from lc_costkit.cache.judging import JudgeCase, Judgement, ask_judge
from lc_costkit.cache.key import CacheRequest
from lc_costkit.cache.matcher import Matcher
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.points import PointStore
from lc_costkit.cache.results import AsText, Check, Hit, Miss
from lc_costkit.cache.seen_pairs import LIVE
from lc_costkit.cache.stats import Verified
from lc_costkit.cache.store import Entry, EntryStore
from lc_costkit.cache.tighten import Draw, distinct, tightened
from lc_costkit.cache.verify import FreshAnswer, Sampled, asks_by_invoke
from lc_costkit.faults import Faults
from lc_costkit.ledger import Ledger
from lc_costkit.marks import VERIFICATION_FEATURE
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.record import CallRecord
from lc_costkit.savings import check_savings
from lc_costkit.usage import TokenUsage, UsageReading

_logger = logging.getLogger(__name__)

SAMPLED = "sampled for verification"
"""Why a sampled call is a miss where the model answers it in place of the cache."""

CLOSING_SECONDS = 5.0
"""How long closing a cache waits for checks, as long as a ledger waits for a locked store."""

Ask = Callable[[], FreshAnswer]
"""Asks the model again; given by an adapter that can."""

Keep = Callable[[FreshAnswer], object]
"""Stores a fresh answer under its own question."""

_ASKING = "See that the model that is asked again works; the stored answer was served unchecked"
_JUDGING = "See that the judge works; the answer counts as unchecked"
_RECORDING = "The call is in the statistics of the cache, and not in the ledger; see that it is open and writable"
_RAISED = (
    "lc_costkit cache %r serves by meaning from score %.3f on, and no longer from %.3f: too many of the answers that "
    "were checked were wrong; stats() says how many. If it is the judge that was wrong, mend it, and call "
    "forget_verdicts() on the cache to take this back"
)
_SETTLING = "The verdict was not acted on in full; see that the store can be written, and call check() on the cache"


class Verifier:
    """Draws would-be hits, has them compared in the background, and acts on what comes out.

    Args:
        sampled: the share, the judge and who is asked.
        observing: nothing is served, so verdicts are only written down.
        namespace: whose entries.
        max_error_rate: share of semantic hits that may be wrong, 0 to 1.
        store: where entries are demoted.
        matcher: to be told of them.
        acceptor: whose operating point may have to be raised.
        log: where verdicts go.
        points: where the raised point is kept.
        tally: counts.
        faults: where failures go.
        prices: what calls cost.
    """

    def __init__(
        self,
        sampled: Sampled,
        *,
        observing: bool,
        namespace: str,
        max_error_rate: float,
        store: EntryStore,
        matcher: Matcher,
        acceptor: Acceptor,
        log: PairLog,
        points: PointStore,
        tally: Tally,
        faults: Faults,
        prices: PriceBook,
    ) -> None:
        self._sampled = sampled
        self._observing = observing
        self._namespace = namespace
        self._max_error_rate = max_error_rate
        self._store = store
        self._matcher = matcher
        self._acceptor = acceptor
        self._log = log
        self._points = points
        self._tally = tally
        self._faults = faults
        self._prices = prices
        self._random = random.Random(sampled.seed)  # noqa: S311 -- a draw, no secret
        self.background = Background(faults)

    # -- drawing ---------------------------------------------------------------

    def drawn(self, outcome: Hit | Miss, as_text: AsText) -> Check | None:
        """Draw a decision with the chance that was asked for; ``None`` where it is not to be checked.

        In observe mode those that were refused are drawn as well: the model answers anyway, and only
        so can another policy be judged on the same traffic.
        """
        entry = outcome.entry if isinstance(outcome, Hit) else outcome.candidate
        if outcome.seen is None or entry is None or not (self._observing or isinstance(outcome, Hit)):
            return None
        if self._random.random() >= self._sampled.rate:
            return None
        self._tally.drawn()
        answer = self._text(entry, as_text)
        if answer is None:
            self._tally.unverified("failed")
            return None
        return Check(entry_id=entry.id, answer=answer, seen=outcome.seen, as_text=as_text, observed=self._observing)

    def asker(self, request: CacheRequest, given: Ask | None) -> Ask | None:
        """Return who can answer the request again: the user's own callable, else what the adapter gives."""
        ask = self._sampled.ask
        if ask is None or asks_by_invoke(ask):
            return given
        return lambda: _fresh(ask(request))

    # -- checking --------------------------------------------------------------

    def ask_again(self, check: Check, ask: Ask, model: str | None, keep: Keep) -> None:
        """Ask the model in the background and compare; a fresh answer that is needed is kept."""

        def run() -> None:
            fresh = self._asked(ask, model)
            if fresh is not None and self._compare(check, fresh.text, model) is False:
                keep(fresh)

        self._submit(run, lambda: None)

    def compare(self, check: Check, payload: str, keep: Callable[[bool], object] | None = None) -> None:
        """Compare with an answer that the caller got anyway, in the background.

        Args:
            check: what to compare.
            payload: the fresh answer.
            keep: stores it; called unless it is the same answer, and told whether that is certain. Where
                nobody knows, it had better answer its own question only: two entries that are as near to what
                comes next would stand in each other's way.
        """

        def run() -> None:
            fresh: str | None
            try:
                fresh = check.as_text(payload)
            except Exception as error:
                self._unverified("reading a fresh answer", error, _JUDGING)
                fresh = None
            if fresh is not None and not fresh.strip():
                self._tally.unverified("failed")
            verdict = self._compare(check, fresh, None) if fresh and fresh.strip() else None
            if keep is not None and not verdict:
                keep(verdict is False)

        self._submit(run, (lambda: None) if keep is None else partial(keep, False))

    def unanswered(self) -> None:
        """Count a check that was drawn and got no answer to compare with."""
        self._tally.unverified("failed")

    def _submit(self, run: Callable[[], None], stored: Callable[[], object]) -> None:
        def give_up() -> None:
            self._tally.unverified("dropped")
            stored()

        self.background.submit(Job(run=run, give_up=give_up))

    def _asked(self, ask: Ask, model: str | None) -> FreshAnswer | None:
        ledger, started = self._sampled.ledger, datetime.now(UTC)
        try:
            with calling_aside("verification", ledger=ledger, prices=self._prices):
                fresh = ask()
            cost = Cost(usd=None, basis="unpriced") if fresh.reading is None else self._prices.price(fresh.reading)
            self._tally.verification(cost.usd)
            if ledger is not None and not fresh.metered:
                self._record(ledger, cost, "asked again", started, model=model, reading=fresh.reading)
        except Exception as error:
            self._unverified("asking again", error, _ASKING)
            return None
        if not fresh.text.strip():
            self._tally.unverified("failed")
            return None
        return fresh

    def _compare(self, check: Check, fresh: str, model: str | None) -> bool | None:
        """Ask the judge and act on what it says; return its verdict."""
        seen, ledger, started = check.seen, self._sampled.ledger, datetime.now(UTC)
        case = JudgeCase(cached=seen.cached, new=seen.new, answer=check.answer, fresh=fresh)
        try:
            with calling_aside("verification", ledger=ledger, prices=self._prices):
                said = ask_judge(self._sampled.judge, case)
            self._tally.verification(said.usd)
            if ledger is not None and not said.metered and said.usd != 0:
                self._record(ledger, Cost(usd=said.usd, basis=said.basis), "judged", started, model=None)
        except Exception as error:
            self._unverified("judging a fresh answer", error, _JUDGING)
            return None
        if said.same is None:
            self._tally.unverified("failed")
            return None
        self._settle(check, said)
        return said.same

    # -- acting ----------------------------------------------------------------

    def _settle(self, check: Check, said: Judgement) -> None:
        """Act on a verdict; what must not be served again comes first, whatever else can be written."""
        same = bool(said.same)
        acts = not same and not check.observed
        self._tally.verified(same=same)
        if acts:
            self._matcher.forget([check.entry_id])
            self._carefully(partial(self._demote, check.entry_id))
        self._carefully(lambda: self._log.settle(check.seen, same, source="observed" if check.observed else "verified"))
        if acts:
            self._carefully(self._tighten)

    def _demote(self, entry_id: int) -> None:
        if self._store.demote(self._namespace, entry_id):
            self._tally.demoted()

    def _tighten(self) -> None:
        before = self._acceptor.lowest
        moved = tightened(self._acceptor.point, self.draws(), max_error_rate=self._max_error_rate, floor=before)
        if moved is None:
            return
        self._acceptor.move(self._points.tighten(moved))
        if self._acceptor.lowest > before:
            _logger.warning(_RAISED, self._namespace, self._acceptor.lowest, before)

    def _carefully(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            self._faults.record("acting on a verdict", error, _SETTLING)

    def draws(self) -> list[Draw]:
        """Return every checked decision that was, or would have been, a hit."""
        return checked_hits(self._log)

    # -- steps -----------------------------------------------------------------

    def _text(self, entry: Entry, as_text: AsText) -> str | None:
        try:
            return as_text(entry.payload).strip() or None
        except Exception as error:
            self._faults.record("reading a stored answer", error, _JUDGING)
            return None

    def _unverified(self, where: str, error: BaseException, advice: str) -> None:
        self._tally.unverified("failed")
        self._faults.record(where, error, advice, may_quote=True)

    def _record(
        self,
        ledger: Ledger,
        cost: Cost,
        what: str,
        started: datetime,
        *,
        model: str | None,
        reading: UsageReading | None = None,
    ) -> None:
        record = CallRecord(
            started_at=started,
            latency_seconds=max(0.0, (datetime.now(UTC) - started).total_seconds()),
            model_asked=model,
            model_answered=None if reading is None else reading.model,
            provider=None if reading is None else reading.provider,
            usage=TokenUsage() if reading is None else reading.usage,
            cost=cost,
            feature=VERIFICATION_FEATURE,
            metadata={"check": what},
            saved=check_savings(cost),
        )
        try:
            ledger.keep(record)
        except Exception as error:
            self._faults.record("recording a check", error, _RECORDING)


def checked_hits(log: PairLog) -> list[Draw]:
    """Return what live verdicts say of decisions that were, or would have been, hits of this decider."""
    rows = log.labelled(sources=LIVE, decider=log.decider)
    return [
        Draw(row.score, row.same, row.labelled_at or 0.0, row.key)
        for row in rows
        if row.refused_by is None and row.score is not None and row.same is not None
    ]


def verified_now(log: PairLog, acceptor: Acceptor, faults: Faults) -> Verified:
    """Return what verdicts say of what the present point serves, and of what it serves no longer."""
    try:
        found = distinct(checked_hits(log))
    except Exception as error:
        faults.record("reading verdicts", error, "The other statistics hold; call check() on the cache")
        return Verified()
    served = [draw for draw in found if draw.score >= acceptor.lowest]
    below = [draw for draw in found if draw.score < acceptor.lowest]
    return Verified(
        pairs=len(served),
        wrong=sum(not draw.same for draw in served),
        below=len(below),
        below_wrong=sum(not draw.same for draw in below),
    )


def _fresh(said: object) -> FreshAnswer:
    if isinstance(said, FreshAnswer):
        return said
    if isinstance(said, str):
        return FreshAnswer(text=said)
    raise TypeError(f"ask must return text or a FreshAnswer, not {type(said).__name__}")
