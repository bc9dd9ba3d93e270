"""How far down the scores do labels bound the share of wrong answers?

The method is that of "learn then test" (A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan and L. Lei,
"Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control", 2021): every point at which one
could start to serve is a hypothesis "more than ``max_error_rate`` of what it serves is wrong", and one that is
rejected, with the chance of any false rejection kept below ``1 - confidence``, may be used.

*One test.* Pairs are ranked by their scores, highest first. Given the score at rank ``k + 1``, the ``k`` pairs
above it are random draws of what is served above that score, whatever it is. So the number of wrong ones among
them is binomial, and as few as there are have a chance of at most ``binomial_cdf(wrong, k, max_error_rate)`` under
the hypothesis: the exact test behind the bound of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934).

*All tests.* The grid are the ranks, which are fixed before a label is read. They are tested from the strict end
down by the fallback procedure (B. L. Wiens, "A fixed sequence Bonferroni procedure for testing multiple
endpoints", Pharmaceutical Statistics 2, 2003): the allowed chance of error is dealt out to a few starts; a chain
begins at each, passes its allowance on for as long as every rank passes, and dies at the first that does not.
A false rejection must pass the first rank below the score at which the true error rate rises to the limit. Cut at
all scores where the rate crosses the limit, each band between two crossings has exactly that rate by itself, so
how many pairs each holds tells nothing of the number wrong at that rank: the test there is exact, although the
ranks fall where the sample puts them, and although the rate may rise and fall with the score.

*Ties.* Pairs of one score are put in an order that does not depend on their labels, and each of their ranks must
pass, but only a rank that lies between two scores can be chosen.

*Range.* The last rank has no score below it in the sample and is never chosen: nothing is certified outside of
what was sampled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lc_costkit.intervals import binomial_cdf

MOST_STARTS = 4
"""Starts, each at twice the rank of the one before and with half its allowance. Of twelve ways to deal the
allowance out (1 to 6 starts, equal or falling, at several spacings), tried on five made-up curves of error against
score at 300, 1,000 and 3,000 pairs and 1, 2 and 5 %, this one served most at 3,000 (30 % more than a single start),
and a seventh less than a single start at 300."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A rank down to which serving is certified.

    Attributes:
        served: how many labelled pairs are above it.
        wrong: how many of those are wrong.
        min_score: the least score that is served: the next number above the score of the pair below the rank.
    """

    served: int
    wrong: int
    min_score: float


def certify(
    scores: NDArray[np.float64], wrong: NDArray[np.bool_], *, max_error_rate: float, allowance: float
) -> Certified | None:
    """Return the most lenient point that the labels certify, or ``None``.

    Args:
        scores: of pairs drawn at random from what the point will decide about, highest first; the order among
            equal ones must not depend on the labels.
        wrong: whether the stored answer is wrong, in the same order.
        max_error_rate: of what is served, above 0 and below 1.
        allowance: chance that the true rate is higher although a point is returned, above 0 and below 1.
    """
    tested = len(scores)
    counts = np.concatenate(([0], np.cumsum(wrong)))
    between = np.flatnonzero(scores[:-1] > scores[1:]) + 1
    best = 0
    for first, last in _passed(wrong, counts, starts_of(tested, max_error_rate, allowance), max_error_rate):
        at = int(np.searchsorted(between, last, side="right")) - 1
        if at >= 0 and between[at] >= first:
            best = max(best, int(between[at]))
    if not best:
        return None
    above = float(np.nextafter(scores[best], np.inf))
    return Certified(served=best, wrong=int(counts[best]), min_score=above)


def fewest_served(max_error_rate: float, allowance: float) -> int:
    """Return how many served pairs certify a rate if none of them is wrong.

    >>> fewest_served(0.02, 0.05), fewest_served(0.05, 0.05)
    (149, 59)
    """
    return math.ceil(math.log(allowance) / math.log1p(-max_error_rate))


def starts_of(tested: int, max_error_rate: float, allowance: float) -> list[tuple[int, float]]:
    """Return the ranks at which chains start and what each is allowed, from counts alone; none if too few were tested.

    >>> [(rank, round(share, 4)) for rank, share in starts_of(1_000, 0.05, 0.05)]
    [(71, 0.0267), (142, 0.0133), (284, 0.0067), (568, 0.0033)]
    >>> starts_of(100, 0.02, 0.05)
    []
    """
    for number in range(MOST_STARTS, 0, -1):
        unit = allowance / (2**number - 1)
        shares = [unit * 2 ** (number - 1 - place) for place in range(number)]
        first = fewest_served(max_error_rate, shares[0])
        ranks = [first * 2**place for place in range(number)]
        if ranks[-1] < tested:
            return list(zip(ranks, shares, strict=True))
    return []


def _passed(
    wrong: NDArray[np.bool_], counts: NDArray[np.int64], starts: list[tuple[int, float]], rate: float
) -> Iterator[tuple[int, int]]:
    """Yield the runs of ranks that passed, first and last. Only ranks that add a wrong pair can fail in a run."""
    tested = len(wrong)
    mistakes = np.flatnonzero(wrong) + 1
    allowed = 0.0
    for place, (start, share) in enumerate(starts):
        end = starts[place + 1][0] if place + 1 < len(starts) else tested
        allowed += share
        if binomial_cdf(int(counts[start]), start, rate) > allowed:
            allowed = 0.0
            continue
        last = end - 1
        for rank in mistakes[(mistakes > start) & (mistakes < end)]:
            if binomial_cdf(int(counts[rank]), int(rank), rate) > allowed:
                allowed, last = 0.0, int(rank) - 1
                break
        yield start, last
