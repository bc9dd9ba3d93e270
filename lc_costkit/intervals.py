"""How sure is a share that was counted in a sample?"""

from __future__ import annotations

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
