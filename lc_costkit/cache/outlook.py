"""Where labels certify nothing yet: how many more would, if the error stays what it is so far?"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lc_costkit.cache.bound import MOST_STARTS, fewest_served
from lc_costkit.intervals import binomial_cdf, clopper_pearson

POWER = 0.8
"""Chance that so many labels certify the point they were counted for."""

_LEAST = 20
"""Pairs below which an observed share says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What more labels would bring.

    Attributes:
        labels_needed: how many more, about; ``None`` where no number would as far as the labels tell.
        advice: what to do, in words.
    """

    labels_needed: int | None
    advice: str


def planned_labels(max_error_rate: float, *, confidence: float = 0.95) -> int:
    """Return how many served pairs to label where nothing is known yet: the number to stop at, fixed beforehand.

    With a chance of ``POWER`` so many certify the rate if half as many answers are wrong as may be. Where part
    of the labelled pairs is not served in the end, it takes more.

    Args:
        max_error_rate: share of semantic hits that may be wrong, above 0 and below 1.
        confidence: how sure that is to be, above .5 and below 1.

    >>> planned_labels(0.05), planned_labels(0.02)
    (470, 1400)
    """
    return _rounded(_served_needed(max_error_rate / 2, max_error_rate, _first_share(1 - confidence)))


def outlook(
    wrong: NDArray[np.bool_], *, labels: int, max_error_rate: float, allowance: float, may_learn: bool = False
) -> Outlook:
    """Estimate how many more labels certify something.

    For every rank the observed error is taken with half a wrong answer added (the mean of H. Jeffreys'
    posterior, "Theory of probability", 1946), as none of few is no error rate of 0, and the least number of
    served pairs is found that passes the test at that rate with a chance of ``POWER``. The cheapest rank counts.

    Args:
        wrong: whether the stored answer is wrong, of the tested pairs, highest score first.
        labels: all labels, those of refused pairs included: to get one tested pair takes several labels.
        max_error_rate: as for ``certify``.
        allowance: as for ``certify``.
        may_learn: there are labels enough of both kinds to fit a veto on half of them.
    """
    tested = len(wrong)
    first = _first_share(allowance)
    if tested == 0:
        return Outlook(
            labels_needed=None,
            advice="every labelled pair is refused at any score, by gates, admission or similarity: label pairs "
            "that pass, or look at what refuses them",
        )
    counts = np.cumsum(wrong)
    ranks = sorted({max(1, round(tested * 0.93**place)) for place in range(80)})
    options = [(rank, (int(counts[rank - 1]) + 0.5) / (rank + 1)) for rank in ranks if rank >= _LEAST]
    hopeful = [(rank, rate) for rank, rate in options if rate < max_error_rate]
    if hopeful:
        rough = sorted(hopeful, key=lambda each: _roughly(each[1], max_error_rate, first) / each[0])[:3]
        needed = min(_served_needed(rate, max_error_rate, first) * labels / rank for rank, rate in rough)
        more = _rounded(max(needed - labels, 0.1 * labels))
        return Outlook(
            labels_needed=more,
            advice=f"label about {more:,} more pairs, drawn at random from the same traffic, if the error stays what "
            "it is so far",
        )
    rank, share = min(
        ((rank, int(counts[rank - 1]) / rank) for rank in ranks if rank >= min(_LEAST, tested)),
        key=lambda each: (each[1], -each[0]),
    )
    if share < max_error_rate:
        more = _rounded(max(_served_needed(share, max_error_rate, first) * labels / rank - labels, 1))
        return Outlook(
            labels_needed=more,
            advice=f"label at least {more:,} more pairs, drawn at random from the same traffic; "
            f"{int(counts[rank - 1])} wrong of the {rank} best so far say little",
        )
    low, high = clopper_pearson(int(counts[rank - 1]), rank)
    hope = "more labels will not change that" if low > max_error_rate else "more labels help only if that was bad luck"
    return Outlook(
        labels_needed=None,
        advice=f"{share:.1%} are wrong even at the best scores ({int(counts[rank - 1])} of {rank}, interval {low:.1%} "
        f"to {high:.1%}), above the {max_error_rate:.2%} asked for; {hope}: accept a higher max_error_rate, take a "
        f"stricter policy or more gates{', or fit a veto with learn=True (--learn)' if may_learn else ''}",
    )


def _first_share(allowance: float) -> float:
    """Return what the first of the starts in ``bound.py`` is allowed."""
    return allowance / (2.0 - 2.0 ** (1 - MOST_STARTS))


def _roughly(rate: float, limit: float, allowance: float) -> float:
    """Return about how many served pairs it takes, by the normal approximation."""
    normal = NormalDist()
    spread = normal.inv_cdf(1 - allowance) * sqrt(limit * (1 - limit)) + normal.inv_cdf(POWER) * sqrt(rate * (1 - rate))
    return max(float(fewest_served(limit, allowance)), (spread / (limit - rate)) ** 2)


def _served_needed(rate: float, limit: float, allowance: float) -> int:
    """Return how many served pairs pass the test with a chance of ``POWER``, exactly below some ten thousand."""
    served = fewest_served(limit, allowance)
    about = _roughly(rate, limit, allowance)
    if about > 20_000:
        return ceil(about)
    passing = 0
    while True:
        while binomial_cdf(passing + 1, served, limit) <= allowance:
            passing += 1
        if binomial_cdf(passing, served, rate) >= POWER or served > 40_000:
            return served
        served = ceil(served * 1.03) + 1


def _rounded(count: float) -> int:
    """Round up to two digits: it is an estimate."""
    unit = int(10 ** max(0, len(str(ceil(count))) - 2))
    return ceil(count / unit) * unit
