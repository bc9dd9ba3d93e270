"""Is a mix compared with the cheapest target that is as good alone, whatever it costs?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.alone import Comparison, compare

NAMES = ("small", "middle", "large")
# Mean outcomes: 0.5, 0.75 and 1.
FOUND = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
COSTS = np.array([1.0, 4.0, 10.0])


def of(places: list[int], *, costs: np.ndarray | None = COSTS, overhead: float = 0.0) -> Comparison:
    mixed = FOUND[np.arange(len(places)), places]
    usd = None if costs is None else float(costs[places].mean()) + overhead
    return compare(NAMES, FOUND, mixed, prices=costs, mixed_usd=usd)


def test_the_best_single_target_is_the_cheapest_that_is_as_good() -> None:
    found = of([0, 0, 0, 2])
    assert (found.best.target, found.reached, found.pays, found.saved_usd) == ("middle", True, True, 0.75)
    assert [(one.target, one.quality, one.cost) for one in found.singles] == [
        ("small", 0.5, 1.0),
        ("middle", 0.75, 4.0),
        ("large", 1.0, 10.0),
    ]
    assert of([0, 0, 1, 2]).best.target == "large"


def test_what_deciding_costs_may_eat_it_up() -> None:
    assert of([0, 0, 0, 2], overhead=0.75).pays is False
    found = of([0, 0, 0, 2], overhead=1.0)
    assert (found.pays, found.saved_usd) == (False, -0.25)


def test_a_mix_that_is_no_better_than_the_cheapest_does_not_pay() -> None:
    found = of([2, 2, 0, 0])
    assert (found.best.target, found.pays, found.saved_usd) == ("small", False, -4.5)


def test_without_costs_only_what_cannot_pay_is_said() -> None:
    assert of([2, 2, 0, 0], costs=None).pays is False
    found = of([0, 0, 1, 2], costs=None)
    assert (found.best.target, found.pays, found.saved_usd, found.random_usd) == ("large", None, None, None)


def test_a_mix_better_than_any_target_is_compared_with_the_best_one() -> None:
    outcomes = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    better = outcomes[np.arange(3), [0, 1, 0]]
    found = compare(("small", "large"), outcomes, better, prices=np.array([1.0, 1.0]), mixed_usd=0.9)
    assert (found.best.target, found.reached, found.pays, found.random_usd) == ("small", False, True, None)
    assert found.saved_usd == pytest.approx(0.1)


def test_a_target_that_costs_more_and_does_less_is_passed_over() -> None:
    found = compare(NAMES, FOUND[:, ::-1], FOUND[:, 1], prices=COSTS, mixed_usd=2.0)
    assert (found.best.target, found.pays) == ("small", False)


def test_at_random_the_same_quality_costs_what_lies_between_two_targets() -> None:
    # 0.75 is the middle target's, at 4; halfway between the others it would be 5.5.
    assert of([0, 0, 0, 2]).random_usd == 4.0
    two = compare(("small", "large"), FOUND[:, [0, 2]], FOUND[:, 1], prices=COSTS[[0, 2]], mixed_usd=1.0)
    assert two.random_usd == 5.5


def test_a_cheaper_target_that_may_be_as_good_is_named() -> None:
    near = of([0, 0, 0, 2]).near
    assert near is not None
    assert near.target == "small"
    many = np.repeat(FOUND, 100, axis=0)
    sure = compare(NAMES, many, many[:, 1], prices=COSTS, mixed_usd=3.5)
    assert (sure.pays, sure.near) == (True, None)


@given(
    outcomes=st.lists(st.tuples(*[st.integers(0, 1)] * 3), min_size=1, max_size=30),
    costs=st.tuples(*[st.integers(0, 100)] * 3),
    seed=st.integers(0, 10),
)
def test_no_verdict_contradicts_its_figures(
    outcomes: list[tuple[int, int, int]], costs: tuple[int, int, int], seed: int
) -> None:
    found, prices = np.array(outcomes, dtype=float), np.array(costs, dtype=float)
    places = np.random.default_rng(seed).integers(0, 3, len(found))
    mixed = found[np.arange(len(found)), places]
    usd = float(prices[places].mean())
    compared = compare(NAMES, found, mixed, prices=prices, mixed_usd=usd)
    as_good = [one.cost for one in compared.singles if one.cost is not None and one.quality >= mixed.mean() - 1e-12]
    assert compared.reached == bool(as_good)
    assert compared.best.cost is not None
    assert compared.saved_usd == compared.best.cost - usd
    less_than_chance = compared.random_usd is None or usd < compared.random_usd * (1 - 1e-9)
    assert compared.pays == (compared.saved_usd > 0 and less_than_chance)
    assert compared.by_chance == (compared.saved_usd > 0 and not less_than_chance)
    if as_good:
        assert compared.best.cost == min(as_good)
        assert compared.random_usd is not None
        assert compared.random_usd <= min(as_good) + 1e-9
