"""How sure is a share that was counted in a sample?"""

from __future__ import annotations

from math import exp, lgamma, log, log1p
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
    _check_counts(successes, trials)
    _check_confidence(confidence)
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * (rate * (1 - rate) / trials + z * z / (4 * trials * trials)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def binomial_cdf(successes: int, trials: int, rate: float) -> float:
    """Return the chance of at most so many successes in so many trials, exact up to rounding (1e-9 relative).

    Args:
        successes: how many at most.
        trials: independent tries.
        rate: chance of a success in each, 0 to 1.

    Raises:
        ConfigurationError: not 0 <= successes <= trials, or a rate outside 0..1.

    >>> round(binomial_cdf(1, 3, 0.5), 12)
    0.5
    """
    _check_counts(successes, trials)
    if not 0 <= rate <= 1:
        raise ConfigurationError(f"rate must be from 0 to 1, not {rate}")
    if successes == trials or rate == 0:
        return 1.0
    if rate == 1:
        return 0.0
    if successes > trials * rate:  # the other tail is the small one: nothing is lost to rounding
        return 1.0 - _lower_tail(trials - successes - 1, trials, 1 - rate)
    return _lower_tail(successes, trials, rate)


def clopper_pearson_upper(successes: int, trials: int, *, confidence: float = 0.95) -> float:
    """Return the one-sided upper bound of a proportion, 0 to 1: it holds with at least this confidence.

    The largest rate at which so few successes still have a chance of ``1 - confidence``. Source:
    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26 (1934). No trials give 1.

    Raises:
        ConfigurationError: not 0 <= successes <= trials, or a confidence outside 0..1.

    >>> f"{clopper_pearson_upper(0, 100):.4f} {clopper_pearson_upper(0, 149):.4f}"
    '0.0295 0.0199'
    """
    _check_counts(successes, trials)
    _check_confidence(confidence)
    if successes == trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if binomial_cdf(successes, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def clopper_pearson_lower(successes: int, trials: int, *, confidence: float = 0.95) -> float:
    """Return the one-sided lower bound of a proportion, 0 to 1; see ``clopper_pearson_upper``.

    >>> clopper_pearson_lower(0, 10)
    0.0
    """
    _check_counts(successes, trials)
    return 1.0 - clopper_pearson_upper(trials - successes, trials, confidence=confidence)


def clopper_pearson(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a proportion, both ends in 0 to 1.

    Raises:
        ConfigurationError: not 0 <= successes <= trials, or a confidence outside 0..1.

    >>> low, high = clopper_pearson(2, 100)
    >>> f"{low:.4f} {high:.4f}"
    '0.0024 0.0704'
    """
    _check_confidence(confidence)
    one_sided = (1 + confidence) / 2
    return (
        clopper_pearson_lower(successes, trials, confidence=one_sided),
        clopper_pearson_upper(successes, trials, confidence=one_sided),
    )


# Bisection down to the spacing of floats.
_HALVINGS = 60


def _lower_tail(successes: int, trials: int, rate: float) -> float:
    """Add up from the largest term down; for ``successes <= trials * rate``, where terms fall."""
    if successes < 0:
        return 0.0
    term = exp(
        lgamma(trials + 1)
        - lgamma(successes + 1)
        - lgamma(trials - successes + 1)
        + successes * log(rate)
        + (trials - successes) * log1p(-rate)
    )
    total, count = term, successes
    while count and term > total * 1e-17:
        term *= count * (1 - rate) / ((trials - count + 1) * rate)
        total += term
        count -= 1
    return min(1.0, total)


def _check_counts(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ConfigurationError(f"successes must be in 0..trials, not {successes} of {trials}")


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ConfigurationError(f"confidence must be between 0 and 1, not {confidence}")
