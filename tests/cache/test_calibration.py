"""Does a calibration say what labels bear, and no more?"""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from lc_costkit.cache.calibration import Calibration, calibrate
from lc_costkit.cache.curve import Curve
from lc_costkit.cache.pairs import ScoredPair
from lc_costkit.errors import ConfigurationError, MissingDependency
from lc_costkit.intervals import clopper_pearson


def pair(score: float, same: bool | None, *, number: int = 0, refused_by: str | None = None) -> ScoredPair:
    return ScoredPair(
        cached=f"How do I open account {number}?",
        new=f"How can account {number} be opened?",
        same=same,
        similarity=score,
        score=score,
        refused_by=refused_by,
    )


def traffic(count: int, *, seed: int = 1, refused: float = 0.0, worst: float = 0.9) -> list[ScoredPair]:
    """Pairs that are the likelier wrong the lower their score."""
    chance = random.Random(seed)
    pairs = []
    for number in range(count):
        score = chance.random()
        gate = "number" if chance.random() < refused else None
        pairs.append(pair(score, chance.random() >= worst * (1 - score) ** 3, number=number, refused_by=gate))
    return pairs


def test_a_point_is_certified_and_says_what_to_expect() -> None:
    made = calibrate(traffic(3_000, refused=0.5), max_error_rate=0.05)
    assert made.certified
    assert made.point is not None
    assert made.point.certified
    assert (made.point.source, made.point.max_error_rate, made.point.confidence) == ("calibrated", 0.05, 0.95)
    assert made.point.upper_error_rate == 0.05
    assert made.point.labels == made.labels == made.pairs == 3_000
    assert made.point.wrong <= 0.05 * made.point.served
    assert made.labels_needed is None
    assert made.hit_rate == made.point.served / 3_000
    assert made.hit_rate_interval == clopper_pearson(made.point.served, 3_000)
    at = made.curve.at(made.point.min_score)
    assert (at.served, at.wrong) == (made.point.served, made.point.wrong)


def test_refused_pairs_count_in_the_hit_rate_alone() -> None:
    decided = [each for each in traffic(3_000, refused=0.5) if each.refused_by is None]
    refused = [pair(0.99, False, number=number, refused_by="negation") for number in range(1_000)]
    alone, together = (calibrate(pairs, max_error_rate=0.05) for pairs in (decided, decided + refused))
    assert alone.point is not None
    assert together.point is not None
    assert alone.point.min_score == together.point.min_score
    assert alone.hit_rate is not None
    assert together.hit_rate == pytest.approx(alone.hit_rate * len(decided) / (len(decided) + 1_000))
    assert together.refused == 1_000


def test_unlabelled_pairs_count_in_the_hit_rate_alone() -> None:
    labelled = traffic(2_000)
    low = [pair(0.01, None, number=number) for number in range(2_000)]
    alone, together = (calibrate(pairs, max_error_rate=0.05) for pairs in (labelled, labelled + low))
    assert alone.point is not None
    assert together.point is not None
    assert alone.point.min_score == together.point.min_score
    assert alone.hit_rate is not None
    assert together.hit_rate == pytest.approx(alone.hit_rate / 2)
    assert (together.labels, together.pairs) == (2_000, 4_000)


def test_it_does_not_matter_how_labels_are_ordered() -> None:
    pairs = [pair(round(each.score, 1), each.same, number=number) for number, each in enumerate(traffic(2_000))]
    by_label = sorted(pairs, key=lambda each: each.same is True)
    found = {calibrate(each, max_error_rate=0.1).point.min_score  # type: ignore[union-attr]
             for each in (pairs, by_label, by_label[::-1])}  # fmt: skip
    assert len(found) == 1


def test_more_confidence_never_serves_more() -> None:
    pairs = traffic(2_000)
    rates = [
        calibrate(pairs, max_error_rate=0.05, confidence=confidence).hit_rate or 0.0
        for confidence in (0.6, 0.9, 0.95, 0.999)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


def test_a_hundred_labels_say_how_many_more_it_takes() -> None:
    made = calibrate(traffic(100), max_error_rate=0.02)
    assert not made.certified
    assert made.point is None
    assert made.hit_rate is None
    assert made.labels_needed is not None
    assert "not certifiable yet" in repr(made)
    assert f"{made.labels_needed:,} more pairs" in repr(made)


@pytest.mark.parametrize("seed", range(8))
def test_the_labels_it_asks_for_are_about_enough(seed: int) -> None:
    few = traffic(120, seed=seed)
    made = calibrate(few, max_error_rate=0.02)
    assert made.labels_needed is not None
    more = calibrate(few + traffic(made.labels_needed, seed=100 + seed), max_error_rate=0.02)
    # It aims at a chance of .8, and errs on the side of too many: of these eight all are certified.
    assert more.certified


def test_it_says_so_where_no_number_of_labels_would_do() -> None:
    chance = random.Random(3)
    hopeless = [pair(chance.random(), chance.random() < 0.7, number=number) for number in range(2_000)]
    made = calibrate(hopeless, max_error_rate=0.02)
    assert made.labels_needed is None
    assert "not certifiable with these scores" in repr(made)
    assert "more labels will not change that" in made.advice


def test_it_says_so_where_everything_is_refused() -> None:
    made = calibrate([pair(0.5, same, refused_by="number") for same in (True, False)], max_error_rate=0.02)
    assert (made.tested, made.refused, made.labels_needed) == (0, 2, None)
    assert "refused at any score" in made.advice


def test_all_right_is_a_finding_where_unlabelled_traffic_is_given_along() -> None:
    right = [pair(0.5 + number / 1_000, True, number=number) for number in range(400)]
    assert calibrate([*right, pair(0.1, None)], max_error_rate=0.05).certified


@pytest.mark.parametrize(
    ("pairs", "settings", "message"),
    [
        ([], {}, "no labelled pairs among the 0"),
        ([pair(0.5, None)], {}, "no labelled pairs among the 1"),
        ([pair(0.5, True)], {}, "all 1 labelled pairs are right.*hold wrong ones too"),
        ([pair(0.5, False)], {}, "all 1 labelled pairs are wrong"),
        ([pair(0.5, 1)], {}, "same must be True, False or None"),
        ([pair(float("nan"), True)], {}, "pair 0 has the score nan"),
        ([pair(float("inf"), True)], {}, "pair 0 has the score inf"),
        ([pair(None, True)], {}, "pair 0 has the score None"),  # type: ignore[arg-type]
        ([("a", "b", True)], {}, "must be a ScoredPair, not tuple"),
        ([pair(0.5, True), pair(0.5, False)], {"max_error_rate": 0}, "max_error_rate must be above 0.*certifies 0"),
        ([pair(0.5, True), pair(0.5, False)], {"max_error_rate": 1}, "max_error_rate must be above 0 and below 1"),
        ([pair(0.5, True), pair(0.5, False)], {"max_error_rate": "2%"}, "max_error_rate .* not '2%'"),
        ([pair(0.5, True), pair(0.5, False)], {"confidence": 0.5}, "confidence must be above 0.5"),
        ([pair(0.5, True), pair(0.5, False)], {"confidence": 1}, "confidence must be above 0.5 and below 1, not 1"),
        ([pair(0.5, True), pair(0.5, False)], {"confidence": float("nan")}, "confidence must be above"),
        ([pair(0.5, True), pair(0.5, False)], {"learn": True}, "at least 50 right and 50 wrong"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(pairs: list[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        calibrate(pairs, **{"max_error_rate": 0.05, **settings})


def test_a_learned_veto_is_taken_where_it_tells_apart_what_the_score_cannot() -> None:
    """The score is noise here; what tells right from wrong is a word that one side does not have."""
    chance = random.Random(5)
    pairs = []
    for number in range(2_000):
        same = chance.random() < 0.5
        more = "" if same else " abroad"
        pairs.append(
            ScoredPair(cached=f"Can I pay bill {number} by card?", new=f"Can bill {number} be paid by card{more}?",
                       same=same, similarity=chance.random(), score=chance.random())
        )  # fmt: skip
    assert not calibrate(pairs, max_error_rate=0.05).certified
    made = calibrate(pairs, max_error_rate=0.05, learn=True)
    assert made.certified
    assert made.veto is not None
    assert made.gain is not None
    assert made.gain.helps
    assert made.hit_rate == pytest.approx(0.5, abs=0.05)
    assert 850 < made.pairs < 1_150, "half of the pairs fitted the veto, and certify nothing"
    assert "learned veto" in repr(made)


def test_a_learned_veto_is_not_taken_where_the_score_knows_better() -> None:
    made = calibrate(traffic(3_000), max_error_rate=0.05, learn=True)
    assert made.veto is None
    assert made.pairs == 3_000
    assert made.gain is not None
    assert "not taken" in repr(made)


def test_learning_does_not_make_a_certificate_cheaper() -> None:
    """Where the plain score wins, it has had half of the allowed chance of error."""
    pairs = traffic(3_000)
    plain = calibrate(pairs, max_error_rate=0.05)
    assert (calibrate(pairs, max_error_rate=0.05, learn=True).hit_rate or 0) <= (plain.hit_rate or 0)


def test_it_shows_itself_as_text_and_as_a_table() -> None:
    made = calibrate(traffic(3_000), max_error_rate=0.05)
    assert repr(made).startswith("Calibration\n")
    assert "certified: at most 5.0% of semantic hits wrong with 95% confidence" in repr(made)
    assert "hit rate to expect" in made._repr_html_()
    assert made._repr_html_().count("<tr>") == len(made.rows()) + len(made.curve.points(8))


def test_it_draws_scores_and_the_curve() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    made = calibrate(traffic(3_000), max_error_rate=0.05)
    left, right = made.plot()
    assert left.get_legend().get_texts()[-1].get_text().startswith("served from")
    assert "certified point" in [text.get_text() for text in right.get_legend().get_texts()]
    nothing = calibrate(traffic(60), max_error_rate=0.05)
    _, axes = pyplot.subplots(1, 2)
    assert nothing.plot(axes=list(axes)) == tuple(axes)
    assert "certified point" not in [text.get_text() for text in axes[1].get_legend().get_texts()]
    with pytest.raises(ConfigurationError, match="two axes, not 1"):
        made.plot(axes=[left])
    empty = calibrate([pair(0.5, same, refused_by="number") for same in (True, False)], max_error_rate=0.02)
    empty.plot()
    pyplot.close("all")


def test_drawing_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    made = calibrate(traffic(200), max_error_rate=0.05)
    with pytest.raises(MissingDependency, match=r"Calibration.plot .*lc_costkit\[report\]"):
        made.plot()
    with pytest.raises(MissingDependency, match=r"Curve.plot .*lc_costkit\[report\]"):
        made.curve.plot()


def test_a_curve_counts_ties_together() -> None:
    curve = Curve(
        scores=(0.9, 0.8, 0.8, 0.5), wrong=(False, True, False, True), all_scores=(0.1, 0.5, 0.8, 0.8, 0.9),
        pairs=10, confidence=0.95,
    )  # fmt: skip
    assert [(point.min_score, point.served, point.wrong) for point in curve.points()] == [
        (0.9, 1, 0),
        (0.8, 3, 1),
        (0.5, 4, 2),
    ]
    at = curve.at(0.8)
    assert (at.served, at.wrong, at.hit_rate, at.error_rate) == (3, 1, 0.3, pytest.approx(1 / 3))
    assert curve.at(0.81).served == 1
    nothing = curve.at(0.95)
    assert (nothing.served, nothing.error_rate, nothing.error_interval) == (0, None, (0.0, 1.0))
    assert curve.at(0.0).served == 4
    assert curve.points(1)[-1].served == 4


def test_a_calibration_is_frozen() -> None:
    made = calibrate(traffic(200), max_error_rate=0.05)
    assert isinstance(made, Calibration)
    with pytest.raises(AttributeError):
        made.certified = True  # type: ignore[misc]
