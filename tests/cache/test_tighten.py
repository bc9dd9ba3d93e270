"""Do live verdicts take back what they put in doubt, and never more trust than they found?"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.tighten import DOUBT, Draw, distinct, tightened
from lc_costkit.intervals import binomial_cdf

POINT = OperatingPoint(min_score=0.5)
CERTIFIED = OperatingPoint(
    min_score=0.5, source="calibrated", certified=True, confidence=0.95, max_error_rate=0.05, served=200, wrong=1,
    upper_error_rate=0.024, made_at=1.0,
)  # fmt: skip


def draws(right: list[float], wrong: list[float]) -> list[Draw]:
    return [Draw(score, True, at=2.0) for score in right] + [Draw(score, False, at=2.0) for score in wrong]


def test_one_wrong_answer_is_no_trend_and_two_are() -> None:
    right = [0.9, 0.8, 0.7]
    assert tightened(POINT, draws(right, [0.6]), max_error_rate=0.05) is None
    moved = tightened(POINT, draws(right, [0.6, 0.65]), max_error_rate=0.05)
    assert moved is not None
    assert (moved.min_score, moved.source, moved.certified) == (0.7, "tightened", False)
    assert (moved.labels, moved.served, moved.wrong) == (5, 3, 0)


def test_a_share_within_the_rate_or_a_little_above_changes_nothing() -> None:
    right = [0.5 + number / 1000 for number in range(98)]
    assert tightened(POINT, draws(right, [0.6, 0.7]), max_error_rate=0.02) is None
    assert tightened(POINT, draws(right[:60], [0.6, 0.7]), max_error_rate=0.02) is None, "2 of 62: a chance of .36"
    assert tightened(POINT, draws(right[:30], [0.6, 0.7]), max_error_rate=0.02) is not None, "2 of 32: one of .13"


def test_where_nothing_holds_nothing_that_was_seen_is_served() -> None:
    moved = tightened(POINT, draws([0.6], [0.9, 0.9, 0.7]), max_error_rate=0.05)
    assert moved is not None
    assert 0.9 < moved.min_score < 0.9001


def test_equal_scores_are_served_together_or_not_at_all() -> None:
    moved = tightened(POINT, draws([0.7, 0.7, 0.8], [0.7, 0.6]), max_error_rate=0.05)
    assert moved is not None
    assert moved.min_score == 0.8


def test_what_is_below_the_point_does_not_count_unless_a_judge_lets_it_through() -> None:
    below = draws([0.9, 0.8], [0.3, 0.4])
    assert tightened(POINT, below, max_error_rate=0.05) is None
    moved = tightened(POINT, below, max_error_rate=0.05, floor=0.2)
    assert moved is not None
    assert moved.min_score == 0.8


def test_a_certificate_goes_when_the_bound_over_all_labels_fails() -> None:
    barely = replace(CERTIFIED, served=60, wrong=0)
    right = [0.6 + number / 1000 for number in range(20)]
    assert tightened(barely, draws(right, []), max_error_rate=0.05) is None
    moved = tightened(barely, draws(right, [0.6]), max_error_rate=0.05)
    assert moved is not None
    assert (moved.min_score, moved.source, moved.certified) == (0.5, "calibrated", False)
    assert moved.upper_error_rate is not None
    assert moved.upper_error_rate > 0.05
    assert tightened(CERTIFIED, draws(right, [0.6]), max_error_rate=0.05) is None, "2 of 221: at most 2.8 %"
    raised = tightened(CERTIFIED, draws([0.9] * 20, [0.6, 0.61]), max_error_rate=0.03)
    assert raised is not None
    assert (raised.min_score, raised.certified) == (0.9, False)


def test_a_calibrated_point_is_not_held_against_what_it_may_rest_on() -> None:
    older = [replace(draw, at=0.5) for draw in draws([0.9, 0.8], [0.6, 0.65])]
    assert tightened(CERTIFIED, older, max_error_rate=0.05) is None
    assert tightened(replace(CERTIFIED, source="tightened"), older, max_error_rate=0.05) is not None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60),
    st.floats(0, 1),
    st.floats(0.01, 0.5),
    st.booleans(),
)
def test_a_point_only_ever_gets_stricter(
    seen: list[tuple[float, bool]], lowest: float, rate: float, certified: bool
) -> None:
    point = OperatingPoint(
        min_score=lowest, certified=certified, confidence=0.95 if certified else None, served=100, wrong=0
    )
    found = [Draw(score, same) for score, same in seen]
    moved = tightened(point, found, max_error_rate=rate)
    if moved is None:
        served = [draw for draw in found if draw.score >= lowest]
        wrong = sum(not draw.same for draw in served)
        likely = wrong and 1 - binomial_cdf(wrong - 1, len(served), rate) > DOUBT
        assert wrong < 2 or wrong <= rate * len(served) or likely
        return
    assert moved.min_score >= lowest
    assert not moved.certified
    left = [draw for draw in found if draw.score >= moved.min_score]
    wrong = sum(not draw.same for draw in left)
    assert wrong <= rate * len(left) or (moved.source != "tightened" and wrong < 2), "one wrong is no trend"
    assert tightened(moved, found, max_error_rate=rate) is None, "the same verdicts move it once"


def test_verdicts_about_one_pair_count_once_and_the_last_one_holds() -> None:
    right = [Draw(score, True, at=2.0, pair=str(score)) for score in (0.9, 0.8, 0.7)]
    same = [Draw(0.6, False, at=2.0, pair="one"), Draw(0.61, False, at=3.0, pair="one")]
    assert tightened(POINT, [*right, *same], max_error_rate=0.05) is None
    other = replace(same[1], pair="two")
    assert tightened(POINT, [*right, same[0], other], max_error_rate=0.05) is not None
    mended = Draw(0.6, True, at=4.0, pair="one")
    assert distinct([*same, mended]) == [mended]
    assert distinct([mended, *same]) == [mended]
