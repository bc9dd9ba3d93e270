"""How sure is a share that was counted in a sample?"""

from __future__ import annotations

import math
from statistics import NormalDist

from lc_costkit.errors import ConfigurationError


def wilson(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion, both ends in 0 to 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927). No trials give the whole range.

    Raises:
        ConfigurationError: not 0 <= successes <= trials, or a confidence outside 0..1.

    >>> low, high = wilson(2, 100)
    >>> f"{low:.4f} {high:.4f}"
    '0.0055 0.0700'
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not 0 <= successes <= trials:
        raise ConfigurationError(f"successes must be in 0..trials, not {successes} of {trials}")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"confidence must be between 0 and 1, not {confidence}")
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * (rate * (1 - rate) / trials + z * z / (4 * trials * trials)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson_upper(successes: int, trials: int, *, confidence: float = 0.95) -> float:
    """Return the one-sided exact upper bound of a proportion, 0 to 1.

    The largest rate at which so few successes are still seen with a chance of ``1 - confidence``.
    Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated
    in the case of the binomial", Biometrika 26 (1934). No trials give 1.

    Raises:
        ConfigurationError: not 0 <= successes <= trials, or a confidence outside 0..1.

    >>> f"{clopper_pearson_upper(0, 59):.4f} {clopper_pearson_upper(3, 200):.4f} {clopper_pearson_upper(5, 5)}"
    '0.0495 0.0383 1.0'
    """
    if not 0 <= successes <= trials:
        raise ConfigurationError(f"successes must be in 0..trials, not {successes} of {trials}")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"confidence must be between 0 and 1, not {confidence}")
    if successes == trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(successes, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(successes: int, trials: int, rate: float) -> float:
    """Return the chance of at most so many successes."""
    if rate >= 1:
        return 0.0
    odds = math.log(rate) - math.log1p(-rate)
    term = trials * math.log1p(-rate)
    terms = [term]
    for done in range(successes):
        term += math.log((trials - done) / (done + 1)) + odds
        terms.append(term)
    largest = max(terms)
    return math.exp(largest) * math.fsum(math.exp(each - largest) for each in terms)
