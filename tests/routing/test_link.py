"""Do linked predictions stay qualities, in the order of the linear ones?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.link import linked


@given(st.floats(0, 1), st.lists(st.floats(-2, 3), min_size=1, max_size=9))
def test_a_quality_is_between_0_and_1_and_keeps_the_order(level: float, predicted: list[float]) -> None:
    qualities = linked(np.sort(predicted), level)
    assert ((qualities > 0) & (qualities < 1)).all()
    assert (np.diff(qualities) >= 0).all()


@given(st.floats(0.05, 0.95))
def test_near_the_mean_it_is_the_prediction(level: float) -> None:
    assert linked(np.array([level, level + 0.001]), level) == pytest.approx([level, level + 0.001], abs=2e-5)


def test_a_target_that_is_nearly_always_right_gains_little() -> None:
    at_the_top, in_the_middle = linked(np.array([1.0, 0.6]), np.array([0.9, 0.5])) - np.array([0.9, 0.5])
    assert at_the_top < 0.07 < in_the_middle
