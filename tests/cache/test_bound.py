"""Is the stated error kept, whatever the true curve of error against score looks like?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lc_costkit.cache.bound import MOST_STARTS, certify, fewest_served, starts_of
from lc_costkit.intervals import binomial_cdf

DRAWS = 400
ALLOWED = 0.05
# Of 400 draws, more than 30 above the limit have a chance of .8 % if each has one of 5 %.
MOST_EXCEEDED = 30

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def rising(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(1.0, 0.002 + 0.9 * depth**2)


def wrong_at_the_top(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(depth < 0.02, 0.3, np.where(depth < 0.5, 0.005, 0.5))


def up_and_down(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(depth < 0.3, 0.0, np.where(depth < 0.45, 0.25, np.where(depth < 0.8, 0.0, 0.6)))


def just_above_everywhere(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(depth, 0.0505)


def share_and_excess(
    curve: Curve, choose: Callable[[NDArray[np.float64], NDArray[np.bool_]], float | None], *, steps: int | None = None
) -> tuple[float, int]:
    """Draw labels again and again; return the mean share served and how often the true error is above 5 %."""
    chance = np.random.default_rng(20)
    grid = (np.arange(20_000) + 0.5) / 20_000
    if steps is not None:  # few different scores: error rates are those of the steps
        grid = np.floor(grid * steps) / steps
    true = np.cumsum(curve(grid)) / np.arange(1, len(grid) + 1)
    served, exceeded = 0.0, 0
    for _ in range(DRAWS):
        depth = np.sort(chance.random(1_000))
        if steps is not None:
            depth = np.floor(depth * steps) / steps
        least = choose(1 - depth, chance.random(1_000) < curve(depth))
        if least is not None:
            reached = int((1 - grid >= least).sum())
            served += reached / len(grid) / DRAWS
            exceeded += bool(reached) and true[reached - 1] > 0.05
    return served, exceeded


def ours(scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float | None:
    found = certify(scores, wrong, max_error_rate=0.05, allowance=ALLOWED)
    return None if found is None else found.min_score


def naive(scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float | None:
    within = np.flatnonzero(np.cumsum(wrong) <= 0.05 * np.arange(1, len(wrong) + 1))
    return float(scores[within[-1]]) if len(within) else None


@pytest.mark.parametrize("curve", [rising, wrong_at_the_top, up_and_down, just_above_everywhere])
@pytest.mark.parametrize("steps", [None, 20])
def test_the_stated_error_is_kept(curve: Curve, steps: int | None) -> None:
    _, exceeded = share_and_excess(curve, ours, steps=steps)
    assert exceeded <= MOST_EXCEEDED


def test_a_naive_threshold_would_not_pass_that_test() -> None:
    _, exceeded = share_and_excess(rising, naive)
    assert exceeded > 4 * MOST_EXCEEDED


@pytest.mark.parametrize(("curve", "oracle"), [(rising, 0.4), (wrong_at_the_top, 0.537)])
def test_a_quarter_of_what_could_be_served_is_and_more(curve: Curve, oracle: float) -> None:
    served, _ = share_and_excess(curve, ours)
    assert served > oracle / 4


def test_a_clean_sample_is_certified_down_to_the_last_pair_but_one() -> None:
    scores = np.linspace(0.9, 0.5, 300)
    found = certify(scores, np.zeros(300, dtype=np.bool_), max_error_rate=0.05, allowance=ALLOWED)
    assert found is not None
    assert (found.served, found.wrong) == (299, 0)
    assert scores[-1] < found.min_score <= scores[-2]


def test_nothing_is_certified_inside_a_tie() -> None:
    scores = np.array([0.9] * 200 + [0.8] * 200 + [0.7] * 50)
    wrong = np.zeros(450, dtype=np.bool_)
    wrong[250::4] = True  # the first half of the tie is right by chance of its order
    found = certify(scores, wrong, max_error_rate=0.05, allowance=ALLOWED)
    assert found is not None
    assert found.served == 200
    assert found.min_score > 0.8


def test_pairs_of_one_score_are_certified_together_or_not_at_all() -> None:
    scores = np.full(500, 0.7)
    assert certify(scores, np.zeros(500, dtype=np.bool_), max_error_rate=0.05, allowance=ALLOWED) is None


@pytest.mark.parametrize("tested", [0, 1, 58, 59])
def test_too_few_certify_nothing(tested: int) -> None:
    scores = np.linspace(1, 0, tested)
    assert certify(scores, np.zeros(tested, dtype=np.bool_), max_error_rate=0.05, allowance=ALLOWED) is None


def test_sixty_without_a_mistake_certify_five_percent() -> None:
    assert certify(np.linspace(1, 0, 60), np.zeros(60, dtype=np.bool_), max_error_rate=0.05, allowance=ALLOWED)


@given(st.floats(0.001, 0.5), st.floats(0.001, 0.3))
def test_the_fewest_that_certify_are_the_fewest(rate: float, allowance: float) -> None:
    fewest = fewest_served(rate, allowance)
    assert binomial_cdf(0, fewest, rate) <= allowance * (1 + 1e-9)
    assert fewest == 1 or binomial_cdf(0, fewest - 1, rate) > allowance * (1 - 1e-9)


@given(st.integers(0, 20_000), st.floats(0.005, 0.3), st.floats(0.001, 0.2))
def test_starts_spend_the_allowance_and_can_pass(tested: int, rate: float, allowance: float) -> None:
    starts = starts_of(tested, rate, allowance)
    assert len(starts) <= MOST_STARTS
    if not starts:
        assert tested <= fewest_served(rate, allowance)
        return
    assert sum(share for _, share in starts) == pytest.approx(allowance)
    ranks = [rank for rank, _ in starts]
    assert ranks == sorted(set(ranks))
    assert ranks[-1] < tested
    assert binomial_cdf(0, *(starts[0][0], rate)) <= starts[0][1] * (1 + 1e-9)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=300))
def test_what_is_certified_passes_its_own_test_and_lies_between_scores(drawn: list[tuple[int, bool]]) -> None:
    drawn.sort(key=lambda each: -each[0])
    scores = np.array([score / 30 for score, _ in drawn])
    wrong = np.array([bad for _, bad in drawn])
    found = certify(scores, wrong, max_error_rate=0.2, allowance=0.1)
    if found is not None:
        assert binomial_cdf(found.wrong, found.served, 0.2) <= 0.1
        assert found.served == int((scores >= found.min_score).sum()) < len(scores)
        assert found.wrong == int(wrong[: found.served].sum())
