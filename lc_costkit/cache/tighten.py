"""Do the live verdicts put the operating point in doubt, and which one do they leave standing?

Verdicts come one by one, and the point is looked at after each that was wrong. A bound for a
sample of fixed size does not hold for such repeated looking: sooner or later chance makes one
of many looks fail or pass. So live verdicts only ever take back. They raise the point and
withdraw a certificate, they never lower the one or give the other; that takes ``calibrate`` on
labels drawn at random, looked at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lc_costkit.cache.point import OperatingPoint
from lc_costkit.intervals import clopper_pearson_upper

LEAST_WRONG = 2
"""Wrong answers below which a share says nothing yet: one wrong in the first draws is no trend."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One checked hit: its score, and whether the stored answer was right."""

    score: float
    same: bool


def tightened(
    point: OperatingPoint, draws: Iterable[Draw], *, max_error_rate: float, floor: float | None = None
) -> OperatingPoint | None:
    """Return a stricter point where the checked hits put this one in doubt; ``None`` where they do not.

    The point is in doubt

    * when at least two of the checked hits that it serves were wrong and their share is above
      ``max_error_rate``: it is raised to the lowest score from which on the share is within that rate
      again, or above every one that was checked;
    * when it is certified, at least one was wrong, and the upper bound (Clopper-Pearson, with the
      point's confidence) over the labels it rests on and the checked hits together is above
      ``max_error_rate``: it is certified no longer.

    Args:
        point: the present one.
        draws: every checked hit there is a verdict about; those below ``floor`` do not count.
        max_error_rate: share of semantic hits that may be wrong, 0 to 1.
        floor: lowest score that is served now, where a judge lets through what is below the point.
    """
    lowest = point.min_score if floor is None else floor
    served = sorted((draw for draw in draws if draw.score >= lowest), key=lambda draw: draw.score)
    wrong = sum(not draw.same for draw in served)
    if wrong >= LEAST_WRONG and wrong > max_error_rate * len(served):
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


def _within(served: Sequence[Draw], max_error_rate: float) -> Sequence[Draw]:
    """Return the draws from the lowest score on from which the share of wrong ones is within the rate."""
    wrong = sum(not draw.same for draw in served)
    for place, draw in enumerate(served):
        left = len(served) - place
        if wrong <= max_error_rate * left and (place == 0 or served[place - 1].score < draw.score):
            return served[place:]
        wrong -= not draw.same
    return ()
