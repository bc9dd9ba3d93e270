"""From which score on may the cache serve, so that it is seldom wrong, as far as labels can tell?

What a calibration promises: of the answers served by meaning, at most ``max_error_rate`` are wrong. The
promise is kept with at least ``confidence`` over the draw of the labels; the method and its sources are in
``bound.py``. It rests on one assumption: the labelled pairs are random draws of (new question, its nearest
stored one) from the traffic that the point will be used on. Pairs that were picked, written for the
purpose, or rejected by users are no such draws. Exact repeats are another tier and belong to no pair. Pairs that
are given are scored without the store around them: what that leaves of the promise says ``OperatingPoint.alone``.

It also holds for one look. Whoever labels on until something is certified, and stops then, looks many times: on
a made-up curve whose error is just above 5 % at every score, 2 % of 300 runs were certified by a look at 2,000
labels, and 26 % by one of the looks after every 50. Decide how many to label beforehand.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lc_costkit.cache.bound import Certified, certify
from lc_costkit.cache.curve import Curve, new_axes, scores_text
from lc_costkit.cache.outlook import outlook
from lc_costkit.cache.pairs import ScoredPair, check_label
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE
from lc_costkit.cache.stats import html_table
from lc_costkit.cache.veto import LEAST_OF_EACH, Gain, LearnedVeto, fit_veto
from lc_costkit.errors import ConfigurationError
from lc_costkit.intervals import clopper_pearson

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Calibration:
    """What labels say about where to start to serve.

    Attributes:
        certified: a point was found that keeps the error rate within ``max_error_rate``.
        point: that point; ``None`` where nothing is certified.
        veto: the learned veto that belongs to the point; ``None`` where there is none.
        gain: what a veto adds to the score, cross-validated; ``None`` where none was fitted.
        max_error_rate: the share of wrong answers among those served by meaning that was asked for, 0 to 1.
        confidence: with which it is kept, 0 to 1.
        pairs: the pairs that ``hit_rate`` is a share of, with a label or without; with a veto, those of the half
            that did not fit it.
        labels: those with a label; with a veto, of the half that did not fit it.
        tested: those with a label that the score decides about, and that fitted nothing.
        refused: how many of ``pairs`` no score would serve.
        hit_rate: share of ``pairs`` that the point serves, 0 to 1; ``None`` where nothing is certified.
        hit_rate_interval: exact (Clopper-Pearson) interval of ``hit_rate`` at ``confidence``.
        labels_needed: how many more labels would certify something, about; ``None`` where something is
            certified, or where no number would as far as the labels tell.
        advice: what to do next, in words.
        curve: hit rate and error rate for every score, or for every probability of the veto.
        alone: the pairs were scored without the neighbours that lookups of this cache weigh too; see
            ``OperatingPoint.alone``.
        taken: the cache serves from the point; ``False`` where nothing is certified, or it was not told.
        given: pairs that were given to ``Cache.calibrate``, copies included; 0 where they come from its traffic.
        distinct: how many of those are different pairs of two different questions; only they count, each once.
    """

    certified: bool
    point: OperatingPoint | None
    veto: LearnedVeto | None
    gain: Gain | None
    max_error_rate: float
    confidence: float
    pairs: int
    labels: int
    tested: int
    refused: int
    hit_rate: float | None
    hit_rate_interval: tuple[float, float] | None
    labels_needed: int | None
    advice: str
    curve: Curve
    alone: bool = False
    taken: bool = False
    given: int = 0
    distinct: int = 0

    def rows(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for a table."""
        wrong = sum(self.curve.wrong)
        rows = [
            ("result", self._result()),
            ("asked for", f"at most {self.max_error_rate:.2%} wrong, confidence {self.confidence:.0%}"),
            ("labels", f"{self.labels:,}, of which {self.tested:,} were tested: {self.tested - wrong:,} right, "
                       f"{wrong:,} wrong"),
            ("refused at any score", f"{self.refused:,} of {self.pairs:,} pairs"),
        ]  # fmt: skip
        if self.given > self.distinct:
            rows.append(
                ("given", f"{self.given:,} pairs, of which {self.distinct:,} are distinct: copies count once, "
                          "empty questions and a question beside itself not at all")
            )  # fmt: skip
        if self.alone:
            rows.append(("scored", "each pair by itself; a lookup also weighs what else is stored, and serves fewer"))
        if self.point is not None and self.hit_rate is not None and self.hit_rate_interval is not None:
            low, high = self.hit_rate_interval
            most = "at most " if self.alone else ""
            rows += [
                ("hit rate to expect", f"{most}{self.hit_rate:.1%} of such pairs ({low:.1%} to {high:.1%})"),
                ("labelled hits", f"{self.point.served:,}, of which {self.point.wrong:,} wrong"),
            ]
        if self.gain is not None:
            taken = "taken" if self.veto is not None else "not taken"
            rows.append(("learned veto", f"{taken}; it {self.gain}"))
        return [*rows, ("next", self.advice)]

    def __repr__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        lines = ["Calibration", *(f"  {label:<{width}}  {value}" for label, value in self.rows())]
        points = scores_text(self.curve.points(8))
        if points:
            lines.append(f"  {'from score':>12}  {'served':>7}  {'wrong':>11}  interval, each for itself")
            lines += [f"  {score:>12}  {hits:>7}  {wrong:>11}  {interval}" for score, hits, wrong, interval in points]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        points = [
            (f"from {self._scale()} {score}", f"served {hits}, wrong {wrong} ({interval}, each for itself)")
            for score, hits, wrong, interval in scores_text(self.curve.points(8))
        ]
        return html_table("Calibration", [*self.rows(), *points])

    def plot(self, *, axes: Sequence[Axes] | None = None) -> tuple[Axes, Axes]:
        """Draw the scores of right and wrong answers, and the error rate against the hit rate; return both axes.

        Args:
            axes: two axes to draw into; a new figure by default.

        Raises:
            MissingDependency: matplotlib is not installed.
            ConfigurationError: not two axes.
        """
        if axes is None:
            axes = new_axes("Calibration.plot", 2)
        if len(axes) != 2:
            raise ConfigurationError(f"plot() draws into two axes, not {len(axes)}")
        chosen = self._chosen()
        return (
            self.curve.plot_scores(ax=axes[0], chosen=chosen, name=self._scale()),
            self.curve.plot(ax=axes[1], max_error_rate=self.max_error_rate, chosen=chosen),
        )

    def _chosen(self) -> float | None:
        if self.point is None:
            return None
        return self.point.min_score if self.veto is None else self.veto.threshold

    def _scale(self) -> str:
        return "score" if self.veto is None else "probability of the veto"

    def _result(self) -> str:
        if self.point is None:
            return "not certifiable yet" if self.labels_needed is not None else "not certifiable with these scores"
        if self.veto is None:
            return str(self.point)
        return f"{self.point}, and what the learned veto gives at least {self.veto.threshold:.3f}"


def calibrate(
    scored: Iterable[ScoredPair], *, max_error_rate: float, confidence: float = 0.95, learn: bool = False
) -> Calibration:
    """Find the most lenient score from which the cache may serve.

    Pairs without a label, and pairs that are refused at any score, count in the hit rate only. Give the
    unlabelled ones too where labels were drawn from part of the traffic (from what the gates let pass, say).

    With ``learn``, a veto is fitted on one half of the labels (see ``veto.py``) and tested on the other: labels
    that fitted it certify nothing. Which half a pair is in follows from a digest of its text and of how often the
    same text came before. The plain score is tested as well, on all labels; each may be wrong in half of the
    allowed cases. The veto is taken where it helps (see ``Calibration.gain``) and serves more.

    Args:
        scored: pairs drawn at random from the traffic, as ``score_pairs`` or ``logged_pairs`` return them.
        max_error_rate: the share of answers served by meaning that may be wrong, above 0 and below 1.
        confidence: how sure that is to be, above .5 and below 1.
        learn: also try a veto that is fitted on the labels.

    Raises:
        ConfigurationError: there are no labels, or labels of one kind only although everything is labelled; a
            label, score or setting is out of range; or ``learn`` with too few labels to fit on.
    """
    _check_share("max_error_rate", max_error_rate, 0.0)
    _check_share("confidence", confidence, 0.5)
    pairs = _checked(scored)
    allowance = 1 - confidence
    if not learn:
        return _calibrated(pairs, max_error_rate, confidence, allowance)
    plain = _calibrated(pairs, max_error_rate, confidence, allowance / 2)
    fitted, held_out = _halves(pairs)
    veto = fit_veto([drawn.pair for drawn in fitted])
    learned = _with_veto(veto, fitted, held_out, max_error_rate, confidence, allowance / 2)
    better = veto.gain.helps and (learned.hit_rate or 0.0) > (plain.hit_rate or 0.0)
    return replace(learned if better else plain, gain=veto.gain)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A pair with a digest that says nothing of its label."""

    pair: ScoredPair
    digest: bytes


def _calibrated(
    pairs: Sequence[_Drawn],
    max_error_rate: float,
    confidence: float,
    allowance: float,
    *,
    veto: LearnedVeto | None = None,
    min_score: float = 0.0,
) -> Calibration:
    """Test pairs, whose scores are the probabilities of a veto where there is one."""
    deciding = [drawn for drawn in pairs if drawn.pair.same is not None and drawn.pair.refused_by is None]
    ranked = sorted(deciding, key=lambda drawn: (-drawn.pair.score, drawn.digest))
    scores = np.array([drawn.pair.score for drawn in ranked], dtype=np.float64)
    wrong = np.array([not drawn.pair.same for drawn in ranked], dtype=np.bool_)
    counted = [drawn.pair for drawn in pairs if drawn.pair.counted]
    curve = Curve(
        scores=tuple(map(float, scores)),
        wrong=tuple(map(bool, wrong)),
        all_scores=tuple(sorted(pair.score for pair in counted if pair.refused_by is None)),
        pairs=len(counted),
        confidence=confidence,
    )
    found = certify(scores, wrong, max_error_rate=max_error_rate, allowance=allowance)
    labels = sum(drawn.pair.same is not None for drawn in pairs)
    nothing = Calibration(
        certified=False,
        point=None,
        veto=None,
        gain=None,
        max_error_rate=max_error_rate,
        confidence=confidence,
        pairs=len(counted),
        labels=labels,
        tested=len(ranked),
        refused=sum(pair.refused_by is not None for pair in counted),
        hit_rate=None,
        hit_rate_interval=None,
        labels_needed=None,
        advice="serve from here; calibrate again when the traffic, the embedder or the gates change",
        curve=curve,
    )
    if found is None:
        ahead = outlook(
            wrong,
            labels=labels,
            max_error_rate=max_error_rate,
            allowance=allowance,
            may_learn=veto is None and _may_fit(pairs),
        )
        return replace(nothing, labels_needed=ahead.labels_needed, advice=ahead.advice)
    hit_rate = curve.at(found.min_score).hit_rate
    return replace(
        nothing,
        certified=True,
        point=_point(
            found, labels, max_error_rate, confidence, min_score=found.min_score if veto is None else min_score
        ),
        veto=None if veto is None else veto.moved(found.min_score),
        hit_rate=hit_rate,
        hit_rate_interval=clopper_pearson(round(hit_rate * len(counted)), len(counted), confidence=confidence),
    )


def _point(
    found: Certified, labels: int, max_error_rate: float, confidence: float, *, min_score: float
) -> OperatingPoint:
    return OperatingPoint(
        min_score=min_score,
        source="calibrated",
        max_error_rate=max_error_rate,
        confidence=confidence,
        certified=True,
        labels=labels,
        served=found.served,
        wrong=found.wrong,
        # The rank was chosen by the same labels: what holds for it is what was tested, not its own bound.
        upper_error_rate=max_error_rate,
        made_at=time.time(),
    )


def _with_veto(
    veto: LearnedVeto,
    fitted: Sequence[_Drawn],
    held_out: Sequence[_Drawn],
    max_error_rate: float,
    confidence: float,
    allowance: float,
) -> Calibration:
    """Test the probability of a veto on labels that did not fit it.

    The score stays a floor, at the lowest one that the veto was fitted on: below, it has seen nothing.
    """
    floor = min(drawn.pair.score for drawn in fitted if drawn.pair.refused_by is None)
    judged = [_Drawn(_judged(drawn.pair, veto, floor), drawn.digest) for drawn in held_out]
    return _calibrated(judged, max_error_rate, confidence, allowance, veto=veto, min_score=floor)


def _judged(pair: ScoredPair, veto: LearnedVeto, floor: float) -> ScoredPair:
    if pair.refused_by is not None:
        return pair
    if pair.score < floor:
        return replace(pair, refused_by=REFUSED_BY_SCORE)
    return replace(pair, score=veto.probability(pair.cached, pair.new, similarity=pair.similarity, score=pair.score))


def _halves(pairs: Sequence[_Drawn]) -> tuple[list[_Drawn], list[_Drawn]]:
    halves: tuple[list[_Drawn], list[_Drawn]] = ([], [])
    for drawn in pairs:
        halves[drawn.digest[-1] & 1].append(drawn)
    return halves


def _may_fit(pairs: Sequence[_Drawn]) -> bool:
    """Tell whether ``learn`` has labels enough of both kinds in the half that it fits on."""
    fitted = [drawn.pair.same for drawn in _halves(pairs)[0] if drawn.pair.refused_by is None]
    return min(fitted.count(True), fitted.count(False)) >= LEAST_OF_EACH


def _checked(scored: Iterable[ScoredPair]) -> list[_Drawn]:
    seen: Counter[tuple[str, str]] = Counter()
    pairs: list[_Drawn] = []
    for place, pair in enumerate(scored):
        if not isinstance(pair, ScoredPair):
            raise ConfigurationError(
                f"pair {place} must be a ScoredPair, not {type(pair).__name__}: score_pairs() makes them"
            )
        check_label(pair.same)
        if not isinstance(pair.score, int | float) or not math.isfinite(pair.score):
            raise ConfigurationError(
                f"pair {place} has the score {pair.score!r}, which is no number: score it again with score_pairs()"
            )
        key = (pair.cached, pair.new)
        seen[key] += 1
        text = f"{len(pair.cached)} {pair.cached} {pair.new} {seen[key]}"
        pairs.append(_Drawn(pair, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()))
    labels = Counter(drawn.pair.same for drawn in pairs)
    if not labels[True] and not labels[False]:
        raise ConfigurationError(
            f"there are no labelled pairs among the {len(pairs)} given; label draws from the traffic first "
            "(`costkit cache label`, or LabelledPair(cached=..., new=..., same=...))"
        )
    if not labels[None] and not (labels[True] and labels[False]):
        said, missing = ("right", "wrong") if labels[True] else ("wrong", "right")
        raise ConfigurationError(
            f"all {len(pairs)} labelled pairs are {said}: random draws from traffic hold {missing} ones too. Picked "
            "pairs certify nothing; label random ones, at lower scores as well, and give the unlabelled ones along"
        )
    return pairs


def _check_share(name: str, value: object, above: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not above < value < 1:
        raise ConfigurationError(
            f"{name} must be above {above:g} and below 1, not {value!r}"
            + ("; no number of labels certifies 0" if name == "max_error_rate" else "; .95 is usual")
        )
