"""Do numbers between two bounds show that their mean is above zero?

By betting on it (I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting",
Journal of the Royal Statistical Society B 86, 2024, section 4). Each number is a bet in which one unit grows by
``stake * number``; the stakes look at earlier numbers only. If the mean is not above zero, the capital ever
reaches ``1 / allowance`` with a chance of at most ``allowance`` (J. Ville, 1939), for every number of draws and
every distribution: no normal approximation, and close to it in power, since stakes follow the variance seen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MOST_STAKED = 0.75
"""Of the capital, at the worst number: 1/2 and 3/4 are what the paper tries."""


def mean_is_positive(numbers: NDArray[np.float64], *, worst: float, best: float, allowance: float) -> bool:
    """Test independent draws of one distribution against "the mean is at most 0".

    Args:
        numbers: from ``worst`` to ``best``, in an order that does not depend on them.
        worst: the least that a number can be, below 0.
        best: the most that a number can be, above 0.
        allowance: chance of answering yes although the mean is not above 0.
    """
    if not len(numbers):
        return False
    span = best - worst
    scaled = (numbers - worst) / span
    counts = np.arange(1, len(scaled) + 1)
    means = (0.5 + np.cumsum(scaled)) / (counts + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2)) / (counts + 1)
    before = np.concatenate(([0.25], variances[:-1]))
    stakes = np.sqrt(2 * math.log(1 / allowance) / (len(scaled) * before)) / span
    stakes = np.minimum(stakes, MOST_STAKED / -worst)
    capital = np.cumsum(np.log1p(stakes * numbers))
    return bool(capital.max() >= math.log(1 / allowance))
