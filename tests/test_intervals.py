"""Do the bounds of a counted share hold, to the last digit that matters?"""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.intervals import (
    binomial_cdf,
    clopper_pearson,
    clopper_pearson_lower,
    clopper_pearson_upper,
    wilson,
)

COUNTS = st.integers(0, 60).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
LARGE_COUNTS = st.integers(1, 5_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
RATES = st.integers(1, 199).map(lambda number: Fraction(number, 200))


def exact_cdf(successes: int, trials: int, rate: Fraction) -> Fraction:
    return sum(
        (comb(trials, count) * rate**count * (1 - rate) ** (trials - count) for count in range(successes + 1)),
        Fraction(0),
    )


@given(COUNTS, RATES)
def test_the_cumulative_binomial_is_the_exact_sum(counts: tuple[int, int], rate: Fraction) -> None:
    wanted = float(exact_cdf(*counts, rate))
    assert binomial_cdf(*counts, float(rate)) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


@given(COUNTS, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_at_the_upper_bound_so_few_are_exactly_so_unlikely(counts: tuple[int, int], confidence: float) -> None:
    successes, trials = counts
    upper = clopper_pearson_upper(successes, trials, confidence=confidence)
    if successes == trials:
        assert upper == 1
    else:
        assert float(exact_cdf(successes, trials, Fraction(upper))) == pytest.approx(1 - confidence, rel=1e-8)


@given(LARGE_COUNTS)
def test_bounds_enclose_the_share_and_mirror_each_other(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = clopper_pearson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    mirrored = clopper_pearson(trials - successes, trials)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)
    assert clopper_pearson_upper(successes, trials, confidence=0.975) == high
    assert clopper_pearson_lower(successes, trials, confidence=0.975) == low


@given(LARGE_COUNTS)
def test_the_exact_interval_is_near_wilsons_where_counts_are_large(counts: tuple[int, int]) -> None:
    successes, trials = counts
    exact, approximate = clopper_pearson(successes, trials), wilson(successes, trials)
    room = 5 / trials + 0.02 / trials**0.5
    assert exact == pytest.approx(approximate, abs=room)


@pytest.mark.parametrize(
    ("successes", "trials", "confidence", "wanted"),
    # One-sided bounds with a closed form: 1 - (1 - confidence) ** (1 / trials).
    [(0, 100, 0.95, 0.0295130), (0, 149, 0.95, 0.01990482), (0, 1, 0.95, 0.95), (0, 20_000, 0.95, 0.000149775)],
)
def test_known_bounds(successes: int, trials: int, confidence: float, wanted: float) -> None:
    assert clopper_pearson_upper(successes, trials, confidence=confidence) == pytest.approx(wanted, rel=1e-5)


def test_far_tails_do_not_underflow() -> None:
    assert binomial_cdf(1_500, 3_000, 0.01) == 1.0
    assert 0 < binomial_cdf(0, 3_000, 0.2) < 1e-290
    assert clopper_pearson_upper(19_999, 20_000) < 1


def test_no_trials_bound_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: binomial_cdf(3, 2, 0.5),
        lambda: binomial_cdf(1, 2, 1.5),
        lambda: clopper_pearson_upper(-1, 2),
        lambda: clopper_pearson_upper(1, 2, confidence=1.0),
        lambda: clopper_pearson_lower(3, 2),
        lambda: clopper_pearson(1, 2, confidence=0.0),
    ],
)
def test_impossible_counts_and_rates_are_refused(call: object) -> None:
    with pytest.raises(ConfigurationError):
        call()  # type: ignore[operator]
