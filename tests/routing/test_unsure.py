"""Is a policy unsure near its threshold, and of as much traffic as it was told to be?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import Learned, Rules, calibrate
from lc_costkit.routing.unsure import derived_band, unsure_band
from tests.routing.test_first_sure import Scored

PROMPTS = [f"What does {'very ' * n}much cost?" for n in range(120)]


@given(st.floats(0, 1), st.integers(2, 6))
def test_a_derived_band_lies_around_the_threshold_by_twice_the_odds(threshold: float, targets: int) -> None:
    low, high = derived_band(Scored(0.5, threshold=threshold), targets)
    assert 0 <= low <= threshold <= high <= 1
    assert low * (1 - threshold) * 2 == pytest.approx(threshold * (1 - low))
    assert high * (1 - threshold) == pytest.approx(2 * threshold * (1 - high))


def test_the_band_of_rules_reaches_over_all_of_their_steps() -> None:
    assert derived_band(Rules(threshold=0.2), 2) == pytest.approx((1 / 9, 1 / 3))
    assert derived_band(Rules(threshold=0.2), 3) == pytest.approx((1 / 19, 1 / 3))
    assert derived_band(Rules(threshold=0.2, targets=("a", "b", "c")), 2) == pytest.approx((1 / 19, 1 / 3))
    assert derived_band(Rules(threshold=(0.1, 0.5)), 3) == pytest.approx((1 / 19, 2 / 3))
    assert derived_band(Rules(threshold=0.0), 2) == (0.0, 0.0)
    assert derived_band(Rules(threshold=0.2, targets=("a",)), 1) == pytest.approx((1 / 9, 1 / 3))


def test_a_calibrated_policy_has_the_band_of_its_threshold() -> None:
    questions = [f"What is {n}?" for n in range(30)] + [f"Prove that {n} is a prime." for n in range(30)]
    calibrated = calibrate(Rules(), questions, share=0.5)
    inner = Rules(threshold=calibrated.point.threshold)
    assert derived_band(calibrated, 2) == derived_band(inner, 2)


def test_a_learned_policy_is_unsure_by_as_much_as_its_predictions_were_out() -> None:
    questions = [f"What is {n} and {n}?" for n in range(100)] + [f"Prove that {n} is a prime." for n in range(100)]
    right = [1.0] * 100 + [0.2] * 100
    learned = Learned.fit(questions, {"small": right, "large": [0.9] * 200})
    small, large = (one.calibration_error for one in learned.qualities)
    low, high = derived_band(learned, 2)
    assert learned.threshold - low == pytest.approx((small + large) / 2)
    assert high - learned.threshold == pytest.approx((small + large) / 2)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_a_band_of_a_share_holds_it_half_on_either_side(share: float) -> None:
    scores = sorted(Rules().score(prompt) for prompt in PROMPTS)
    rules = Rules(threshold=(scores[59] + scores[60]) / 2)
    low, high = unsure_band(rules, PROMPTS, share=share)
    inside = np.array([low < score < high for score in scores])
    assert inside.mean() == pytest.approx(share, abs=2 / len(PROMPTS))
    assert inside[:60].sum() == pytest.approx(inside[60:].sum(), abs=1)
    assert unsure_band(rules, PROMPTS, share=share / 2)[0] > low


def test_a_band_ends_where_the_prompts_end_and_never_leaves_out_the_threshold() -> None:
    scores = [Rules().score(prompt) for prompt in PROMPTS]
    low, high = unsure_band(Rules(threshold=0.99), PROMPTS, share=0.2)
    assert high == 0.99
    assert np.mean([score > low for score in scores]) == pytest.approx(0.1, abs=2 / len(PROMPTS))
    assert unsure_band(Rules(threshold=0.0), PROMPTS, share=1)[0] == 0.0


def test_several_thresholds_share_one_band() -> None:
    scores = sorted(Rules().score(prompt) for prompt in PROMPTS)
    low, high = unsure_band(Rules(threshold=(scores[30], scores[90])), PROMPTS, share=0.1)
    assert np.mean([low < score < high for score in scores]) == pytest.approx(0.6, abs=3 / len(PROMPTS))


def test_a_calibrated_and_a_learned_policy_have_one_too() -> None:
    calibrated = calibrate(Rules(), PROMPTS, share=0.5)
    assert unsure_band(calibrated, PROMPTS, share=0.2) == unsure_band(calibrated.policy, PROMPTS, share=0.2)
    assert calibrated.drift().decisions == 0, "asking is no traffic"
    learned = Learned.fit(PROMPTS, {"small": [1.0] * 60 + [0.0] * 60, "large": [1.0] * 120})
    low, high = unsure_band(learned, PROMPTS, share=0.2)
    assert low <= learned.threshold <= high


@pytest.mark.parametrize(
    ("policy", "prompts", "share", "said"),
    [
        (Rules(), PROMPTS, 0, "share"),
        (Rules(), PROMPTS, 1.5, "share"),
        (Rules(), PROMPTS, True, "share"),
        (Rules(), [], 0.2, "prompts"),
        (Rules(), "What does it cost?", 0.2, "prompts"),
        (lambda request: "small", PROMPTS, 0.2, "no threshold"),
        (Scored(None), PROMPTS, 0.2, "no score"),
    ],
)
def test_bad_input_is_refused(policy: Any, prompts: Any, share: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        unsure_band(policy, prompts, share=share)
