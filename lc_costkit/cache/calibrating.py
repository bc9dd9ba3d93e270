"""On which pairs does a cache calibrate, and what changes when it has?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lc_costkit.cache.accept import VETO, Acceptor
from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.cache.calibration import Calibration, calibrate
from lc_costkit.cache.learning import Learning
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.pairs import Given, ScoredPair, distinct_pairs, logged_pairs, score_pairs
from lc_costkit.cache.points import PointStore
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE, LoggedPair
from lc_costkit.embedding import Embedder
from lc_costkit.errors import ConfigurationError


class Calibrator:
    """Finds an operating point, keeps it for every process, and serves from it here.

    Args:
        embedder: for pairs that no lookup has scored.
        acceptor: what decides.
        admission: the rules of the cache.
        log: draws from the traffic and their labels.
        points: where a certified point is kept.
        learning: takes it up here.
        max_error_rate: what the cache accepts: it does not serve from a point for more.
    """

    def __init__(
        self,
        *,
        embedder: Embedder,
        acceptor: Acceptor,
        admission: tuple[AdmissionRule, ...],
        log: PairLog,
        points: PointStore,
        learning: Learning,
        max_error_rate: float,
    ) -> None:
        self._embedder = embedder
        self._acceptor = acceptor
        self._admission = admission
        self._log = log
        self._points = points
        self._learning = learning
        self._max_error_rate = max_error_rate

    def calibrate(
        self, pairs: Iterable[Any] | None, *, max_error_rate: float, confidence: float, learn: bool
    ) -> Calibration:
        """Calibrate on given pairs, else on the labelled draws of the log; see ``Cache.calibrate``."""
        given: Given | None = None
        if pairs is None:
            scored_pairs = self._drawn(learn=learn)
        else:
            given = distinct_pairs(pairs)
            scored_pairs = self._given(given, learn=learn)
        found = calibrate(scored_pairs, max_error_rate=max_error_rate, confidence=confidence, learn=learn)
        if given is not None:
            found = replace(found, given=given.total, distinct=len(given.pairs))
        if pairs is not None and self._acceptor.minds_neighbours:
            point = None if found.point is None else replace(found.point, alone=True)
            found = replace(found, alone=True, point=point)
        if found.point is None:
            return found
        if max_error_rate > self._max_error_rate:
            return replace(
                found,
                advice=f"nothing was changed: this cache accepts at most {self._max_error_rate:.2%} wrong; open it "
                f"with max_error_rate={max_error_rate:g} and calibrate there to serve from this point",
            )
        # Without learn, the veto of before was in force while the point was tested, and stays.
        veto = None if found.veto is None else found.veto.to_json()
        self._points.save(point=found.point, veto=veto, without_veto=learn and veto is None)
        self._learning.load()
        return replace(found, taken=True)

    def _given(self, given: Given, *, learn: bool) -> Sequence[ScoredPair]:
        if not given.pairs:
            raise ConfigurationError(
                f"no pair is left of the {given.total} given: {given.empty} hold an empty question, and {given.equal} "
                "the same question twice, which another tier serves; give pairs of two different questions"
            )
        return score_pairs(
            given.pairs, embedder=self._embedder, acceptor=self._acceptor, admission=self._admission, veto=not learn
        ).pairs

    def _drawn(self, *, learn: bool) -> Sequence[ScoredPair]:
        draws = drawn(self._log)
        if learn or self._acceptor.veto is not None:
            return logged_pairs(draws, acceptor=self._acceptor, veto=not learn).pairs
        return scored(draws)


def drawn(log: PairLog, *, labelled_only: bool = False) -> list[LoggedPair]:
    """Return the decisions of a log's decider that labels were drawn from, with the labels that may certify.

    Those are what people said of pairs that were drawn for them. Where draws began at different scores,
    labels below the highest of these scores are left out: from there on, each decision had the same
    chance to be drawn, and below it not. What live checks have settled is not drawn any more: where
    ``verify`` checks a share of the hits, labels hold that much less of what is served now than of what
    is not yet, and what is wrong is rather over-counted for a point below the present one.

    Decisions from before the oldest one that nobody labelled or checked are there because they were
    picked out: they do not count in the hit rate.

    Args:
        log: of one namespace and decider.
        labelled_only: leave out what has no label, which tells of the hit rate and not of errors.
    """
    if labelled_only:
        return _certifying(log.labelled(sources=("label",), decider=log.decider))
    seen = log.decisions()
    labelled = {pair.id for pair in _certifying(seen)}
    since = min((pair.id for pair in seen if pair.source is None), default=0)
    return [
        replace(pair, same=pair.same if pair.id in labelled else None, counted=pair.id >= since)
        for pair in seen
        if pair.id in labelled or pair.id >= since
    ]


def _certifying(pairs: Iterable[LoggedPair]) -> list[LoggedPair]:
    drawn = [pair for pair in pairs if pair.source == "label" and pair.drawn_from is not None]
    floor = max((pair.drawn_from or 0.0 for pair in drawn), default=0.0)
    return [pair for pair in drawn if (pair.score or 0.0) >= floor]


def scored(draws: Iterable[LoggedPair]) -> list[ScoredPair]:
    """Return decisions with the scores that lookups gave them, where no veto is to be asked."""
    return [
        ScoredPair(
            cached=pair.cached,
            new=pair.new,
            same=pair.same,
            similarity=pair.similarity or 0.0,
            score=pair.score,
            refused_by=None if pair.refused_by in (REFUSED_BY_SCORE, VETO) else pair.refused_by,
            counted=pair.counted,
        )
        for pair in draws
        if pair.score is not None
    ]
