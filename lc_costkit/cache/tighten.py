"""Do the live verdicts put the operating point in doubt, and which one do they leave standing?

Verdicts come one by one, and the point is looked at after each that was wrong. A bound for a
sample of fixed size does not hold for such repeated looking: sooner or later chance makes one
of many looks fail or pass. So live verdicts only ever take back. They raise the point and
withdraw a certificate, they never lower the one or give the other; that takes ``calibrate`` on
labels drawn at random, looked at once. Among few verdicts a point may rise far by bad luck: with two
wrong of the first three, above both.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lc_costkit.cache.point import OperatingPoint
from lc_costkit.intervals import binomial_cdf, clopper_pearson_upper

LEAST_WRONG = 2
"""Wrong answers below which a share says nothing yet: one wrong in the first draws is no trend."""

DOUBT = 0.2
"""Chance of so many wrong answers, or more, at the accepted rate, from which on down the point is in doubt. Chosen
of 1 (any share above the rate), .5, .2 and .1 on 640 and 400 semantic hits in streams of banking77 and CLINC150
questions, of which 7.8 % and 10.7 % have another intent, one in five checked, 100 orders. Where 5 % is accepted,
3.9 % and 4.8 % of the later half are wrong (at 1: 3.0 % and 3.6 %, at .1: 4.7 % and 5.8 %). Where 9.3 % and 12.8 %
is accepted, so that nothing need be taken back, 90 % and 79 % of the hits are left (at 1: 76 % and 64 %)."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One checked hit: its score, whether the stored answer was right, when that was found out, and of which pair.

    Verdicts about one pair of questions say one thing, however often it was asked: ``pair`` names the pair, and is
    empty where it stands for itself.
    """

    score: float
    same: bool
    at: float = 0.0
    pair: str = ""


def distinct(draws: Iterable[Draw]) -> list[Draw]:
    """Return one draw for each pair: the last verdict about it."""
    alone: list[Draw] = []
    last: dict[str, Draw] = {}
    for draw in draws:
        if not draw.pair:
            alone.append(draw)
            continue
        before = last.get(draw.pair)
        last[draw.pair] = draw if before is None or draw.at >= before.at else before
    return [*alone, *last.values()]


def tightened(
    point: OperatingPoint, draws: Iterable[Draw], *, max_error_rate: float, floor: float | None = None
) -> OperatingPoint | None:
    """Return a stricter point where the checked hits put this one in doubt; ``None`` where they do not.

    The point is in doubt

    * when at least two of the checked hits that it serves were wrong, their share is above
      ``max_error_rate``, and at that rate so many of so few would have a chance of ``DOUBT`` at most (exact
      binomial test): it is raised to the lowest score from which on the share is within the rate again,
      or above every one that was checked;
    * when it is certified, at least one was wrong, and the upper bound (Clopper-Pearson, with the
      point's confidence) over the labels it rests on and the checked hits together is above
      ``max_error_rate``: it is certified no longer.

    Args:
        point: the present one.
        draws: every checked hit there is a verdict about, of which each pair counts once; those below ``floor``
            do not count, nor do those that are older than a calibrated point, which may rest on them.
        max_error_rate: share of semantic hits that may be wrong, 0 to 1.
        floor: lowest score that is served now, where a judge lets through what is below the point.
    """
    lowest = point.min_score if floor is None else floor
    since = point.made_at if point.source == "calibrated" else -math.inf
    counted = distinct(one for one in draws if one.score >= lowest and one.at > since)
    served = sorted(counted, key=lambda one: one.score)
    wrong = sum(not draw.same for draw in served)
    if _in_doubt(wrong, len(served), max_error_rate):
        within = _within(served, max_error_rate)
        raised = within[0].score if within else math.nextafter(served[-1].score, math.inf)
        min_score = max(point.min_score, raised)
        left = [draw for draw in served if draw.score >= min_score]
        return replace(
            point,
            min_score=min_score,
            source="tightened",
            max_error_rate=max_error_rate,
            confidence=None,
            certified=False,
            labels=len(served),
            served=len(left),
            wrong=sum(not draw.same for draw in left),
            upper_error_rate=None,
            made_at=time.time(),
        )
    if point.certified and wrong and point.confidence is not None:
        upper = clopper_pearson_upper(point.wrong + wrong, point.served + len(served), confidence=point.confidence)
        if upper > max_error_rate:
            return replace(point, certified=False, upper_error_rate=upper, made_at=time.time())
    return None


def _in_doubt(wrong: int, served: int, max_error_rate: float) -> bool:
    if wrong < LEAST_WRONG or wrong <= max_error_rate * served:
        return False
    return 1 - binomial_cdf(wrong - 1, served, max_error_rate) <= DOUBT


def _within(served: Sequence[Draw], max_error_rate: float) -> Sequence[Draw]:
    """Return the draws from the lowest score on from which the share of wrong ones is within the rate."""
    wrong = sum(not draw.same for draw in served)
    for place, draw in enumerate(served):
        left = len(served) - place
        if wrong <= max_error_rate * left and (place == 0 or served[place - 1].score < draw.score):
            return served[place:]
        wrong -= not draw.same
    return ()
