"""Do needs say what the policies do?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing import RouteRequest, Rules
from lc_costkit.routing.learned_model import needs_from
from lc_costkit.routing.needs import ThresholdPolicy, chosen, middles, needs_of
from tests.routing.parallel import HARD, SIMPLE

QUESTIONS = [text for pair in (*SIMPLE, *HARD) for text in pair]


@pytest.mark.parametrize("targets", [("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")])
@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.35, 0.6])
def test_rules_choose_what_their_needs_say(targets: tuple[str, ...], threshold: float) -> None:
    places = chosen(needs_of(Rules(), QUESTIONS, len(targets)), threshold)
    rules = Rules().at(threshold)
    decided = [rules(RouteRequest(question=question, targets=targets)).target for question in QUESTIONS]
    assert decided == [targets[place] for place in places]


def test_rules_are_a_threshold_policy_and_a_function_is_not() -> None:
    assert isinstance(Rules(), ThresholdPolicy)
    assert not isinstance(lambda request: "small", ThresholdPolicy)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.floats(0.5, 1))
def test_a_higher_threshold_never_calls_a_dearer_target(expected: list[float], threshold: float) -> None:
    needs = needs_from(np.array([expected]))
    assert chosen(needs, min(1.0, threshold + 0.1))[0] <= chosen(needs, threshold)[0]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_at_no_gain_the_best_expected_target_is_called(expected: list[float]) -> None:
    place = chosen(needs_from(np.array([expected])), 0.5 + 1e-9)[0]
    assert expected[place] == pytest.approx(max(expected), abs=1e-6)


def test_few_middles_are_spread_over_the_ranks() -> None:
    scores = np.concatenate([np.linspace(0, 0.1, 900), np.linspace(0.1, 1.0, 101)])
    few = middles(scores, most=10)
    assert len(few) <= 11
    assert sum(one < 0.1 for one in few) >= 8
