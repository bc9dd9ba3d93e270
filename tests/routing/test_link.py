"""Do linked predictions stay qualities, in the order of the linear ones?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.link import Link

NUMBERS = st.lists(st.floats(-1, 2), min_size=1, max_size=9)


@given(st.floats(0.01, 0.99), st.floats(-5, 5), NUMBERS)
def test_a_quality_is_between_0_and_1_and_keeps_the_order(level: float, height: float, predicted: list[float]) -> None:
    qualities = Link(level, height).quality(np.sort(predicted))
    assert ((qualities > 0) & (qualities < 1)).all()
    assert (np.diff(qualities) >= 0).all()


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20))
def test_the_mean_quality_is_the_mean_outcome(pairs: list[tuple[float, float]]) -> None:
    predicted, found = (np.array(column) for column in zip(*pairs, strict=True))
    link = Link.fit(predicted, found)
    assert link.quality(predicted).mean() == pytest.approx(link.level, abs=1e-6)
    assert link.level == pytest.approx(found.mean(), abs=0.01)


def test_a_target_that_is_nearly_always_right_gains_little() -> None:
    top = Link(0.9, float(np.log(9))).quality(np.array([0.9, 1.0]))
    middle = Link(0.5, 0.0).quality(np.array([0.5, 0.6]))
    assert np.diff(top)[0] < 0.07 < np.diff(middle)[0]
