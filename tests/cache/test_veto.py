"""Does a veto learn from labels what the score does not know, and say so where it does not?"""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.cache.gates import prepare
from lc_costkit.cache.pairs import ScoredPair
from lc_costkit.cache.score import PairReading
from lc_costkit.cache.veto import FEATURES, LEAST_OF_EACH, LearnedVeto, compare, features, fit_veto
from lc_costkit.errors import ConfigurationError


def pairs_with_a_tell(count: int, *, seed: int = 2) -> list[ScoredPair]:
    """Wrong pairs have a word that the stored question lacks; their scores say nothing."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        same = chance.random() < 0.6
        new = f"Can bill {number} be paid by card{'' if same else ' abroad'}?"
        made.append(
            ScoredPair(cached=f"Can I pay bill {number} by card?", new=new, same=same,
                       similarity=chance.random(), score=chance.random())
        )  # fmt: skip
    return made


def pairs_by_score(count: int, *, seed: int = 2) -> list[ScoredPair]:
    """The score says all there is to know."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        score = chance.random()
        made.append(
            ScoredPair(cached=f"Where is order {number}?", new=f"Order {number}, where is it?",
                       same=chance.random() < score, similarity=chance.random(), score=score)
        )  # fmt: skip
    return made


def reading(similarity: float, score: float) -> PairReading:
    return PairReading(similarity=similarity, coverage=0.5, length=0.5, crowd=0.0, score=score)


def test_it_learns_what_tells_wrong_answers_apart() -> None:
    veto = fit_veto(pairs_with_a_tell(600)).moved(0.5)
    assert veto.gain.helps
    assert veto.gain.veto_auc > 0.95 > veto.gain.score_auc
    assert veto.refuses("Can I pay rent by card?", "Can rent be paid by card?", reading(0.8, 0.8)) is None
    refusal = veto("Can I pay rent by card?", "Can rent be paid by card abroad?", reading(0.8, 0.8))
    assert refusal is not None
    assert "below 0.500" in refusal
    parts = veto.contributions("Can I pay rent by card?", "Can rent be paid by card abroad?", similarity=0.8, score=0.8)
    assert refusal.endswith(f"most against it: {min(parts, key=lambda name: parts[name])}")
    assert parts["unmatched in the new question"] < 0


def test_it_says_that_it_does_not_help_where_it_does_not() -> None:
    veto = fit_veto(pairs_by_score(800))
    assert not veto.gain.helps
    assert "does not help" in str(veto)
    assert veto.gain.veto_auc == pytest.approx(veto.gain.score_auc, abs=0.02)


def test_fitted_weights_are_the_maximum_of_the_penalised_likelihood() -> None:
    """Its slope is zero there: the residuals of each standardised feature add up to the pull of the penalty."""
    pairs = pairs_by_score(400)
    veto = fit_veto(pairs)
    rows = np.array(
        [features(prepare(each.cached), prepare(each.new), similarity=each.similarity, score=each.score)
         for each in pairs]
    )  # fmt: skip
    residuals = np.array(
        [each.same - veto.probability(each.cached, each.new, similarity=each.similarity, score=each.score)
         for each in pairs]
    )  # fmt: skip
    standardised = (rows - np.array(veto.means)) / np.array(veto.scales)
    assert standardised.T @ residuals == pytest.approx(veto.penalty * np.array(veto.weights), abs=1e-6)
    assert residuals.sum() == pytest.approx(0, abs=1e-4)


def test_contributions_add_up_to_the_probability() -> None:
    veto = fit_veto(pairs_with_a_tell(300))
    cached, new = "Can I pay rent by card?", "Can rent be paid by card abroad?"
    parts = veto.contributions(cached, new, similarity=0.7, score=0.6)
    assert tuple(parts) == FEATURES
    odds = veto.bias + sum(parts.values())
    assert veto.probability(cached, new, similarity=0.7, score=0.6) == pytest.approx(1 / (1 + np.exp(-odds)))


def test_the_same_labels_give_the_same_veto_which_survives_storing() -> None:
    veto = fit_veto(pairs_with_a_tell(300)).moved(0.25)
    assert veto == fit_veto(pairs_with_a_tell(300)).moved(0.25)
    assert LearnedVeto.from_json(json.loads(json.dumps(veto.to_json()))) == veto


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 0}, "other features"),
        ({"features": ["score"]}, "other features"),
        ({"weights": [1.0]}, "weights are not 10 numbers"),
        ({"means": None}, "cannot be read"),
        ({"scales": [float("nan")] * len(FEATURES)}, "scales are not 10 numbers"),
        ({"gain": {}}, "cannot be read"),
        ({"more": 1}, "cannot be read"),
    ],
)
def test_a_stored_veto_of_another_making_is_refused(changed: dict[str, object], message: str) -> None:
    data = {**fit_veto(pairs_with_a_tell(300)).to_json(), **changed}
    with pytest.raises(ValueError, match=message):
        LearnedVeto.from_json(data)


def test_a_fresh_veto_refuses_nothing() -> None:
    veto = fit_veto(pairs_with_a_tell(300))
    assert veto.refuses("Can I pay rent by card?", "How high is Everest?", reading(0.0, 0.0)) is None


@pytest.mark.parametrize(("right", "wrong"), [(LEAST_OF_EACH, LEAST_OF_EACH - 1), (0, 200), (200, 0), (0, 0)])
def test_too_few_labels_are_refused_with_their_number(right: int, wrong: int) -> None:
    pairs = [
        ScoredPair(cached="a", new=f"b {number}", same=number < right, similarity=0.5, score=0.5)
        for number in range(right + wrong)
    ]
    with pytest.raises(ConfigurationError, match=rf"at least 50 right and 50 wrong .* here are {right} and {wrong}"):
        fit_veto(pairs)


def test_refused_and_unlabelled_pairs_fit_nothing() -> None:
    pairs = pairs_with_a_tell(300)
    others = [
        ScoredPair(cached="a", new="b", same=None, similarity=1, score=1),
        ScoredPair(cached="a", new="b", same=False, similarity=1, score=1, refused_by="number"),
    ]
    assert fit_veto(pairs + others) == fit_veto(pairs)


def test_features_are_as_many_as_their_names_and_finite_for_odd_text() -> None:
    for text in ("", "?", "\ud800", "\x00", "7", "word " * 5_000, "요금이 얼마인가요?"):
        found = features(prepare(text), prepare("What does it cost?"), similarity=0.0, score=0.0)
        assert len(found) == len(FEATURES)
        assert np.isfinite(found).all()


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=40),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=40),
)
def test_the_area_is_the_share_of_pairs_in_the_right_order(
    right: list[tuple[int, int]], wrong: list[tuple[int, int]]
) -> None:
    values = np.array(right + wrong, dtype=np.float64)
    same = np.array([True] * len(right) + [False] * len(wrong))
    made = compare(values[:, 0], values[:, 1], same)
    for column, area in ((0, made.score_auc), (1, made.veto_auc)):
        ordered = [(one[column] > other[column]) + 0.5 * (one[column] == other[column])
                   for one in right for other in wrong]  # fmt: skip
        assert area == pytest.approx(sum(ordered) / len(ordered))
    assert made.low <= made.veto_auc - made.score_auc <= made.high


def test_the_interval_of_the_difference_covers_it_as_often_as_it_says() -> None:
    chance = np.random.default_rng(4)
    inside = 0
    for _ in range(300):
        same = np.arange(240) < 120
        hidden = chance.normal(size=240) + same
        # Both see the same with as much noise of their own: neither ranks better.
        made = compare(hidden + chance.normal(size=240), hidden + chance.normal(size=240), same)
        inside += made.low <= 0 <= made.high
    assert 270 <= inside <= 298
