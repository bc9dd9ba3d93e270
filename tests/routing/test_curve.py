"""Are APGR and CPT what RouteLLM's definitions say?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.curve import GapCurve, apgr_interval

STRONG = np.array([1.0, 1.0, 1.0, 1.0])
CHEAP = np.array([0.0, 0.0, 1.0, 1.0])


def test_the_best_order_recovers_all_with_half_of_the_calls() -> None:
    curve = GapCurve.of(np.array([4.0, 3.0, 2.0, 1.0]), STRONG, CHEAP)
    assert curve.apgr == 0.75
    assert (curve.share_for(0.5), curve.share_for(0.8), curve.share_for(1.0)) == (0.25, 0.5, 0.5)
    assert curve.at(0.125) == 0.25


def test_equal_scores_are_as_good_as_random() -> None:
    assert GapCurve.of(np.zeros(4), STRONG, CHEAP).apgr == 0.5


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30))
def test_turning_the_order_round_mirrors_the_area(rows: list[tuple[int, float, float]]) -> None:
    scores, strong, cheap = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if (strong - cheap).sum() < 0.1:
        return
    both = GapCurve.of(scores, strong, cheap).apgr + GapCurve.of(-scores, strong, cheap).apgr
    assert both == pytest.approx(1.0)


def test_the_interval_holds_the_area_and_narrows() -> None:
    chance = np.random.default_rng(0)
    scores = chance.random(2000)
    cheap = (chance.random(2000) > scores).astype(float)
    wide = apgr_interval(scores[:200], np.ones(200), cheap[:200], confidence=0.95, resamples=100)
    narrow = apgr_interval(scores, np.ones(2000), cheap, confidence=0.95, resamples=100)
    assert narrow[0] < GapCurve.of(scores, np.ones(2000), cheap).apgr < narrow[1]
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
