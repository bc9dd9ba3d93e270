"""Can the cost and the quality of every threshold be read, framed and drawn?"""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import LabelledPrompt, RoutingReport, Rules, calibrate, labelled_prompts
from lc_costkit.routing.learned import Learned
from tests.routing.test_calibrate import ByNumber, drawn, labelled
from tests.routing.test_learned import OUTCOMES, PROMPTS

matplotlib.use("Agg")


def test_the_curve_goes_from_the_strongest_to_the_cheapest() -> None:
    rows = labelled(1000)
    report = RoutingReport.of(ByNumber(), rows, costs={"cheap": 0.001, "strong": 0.02})
    dear, cheap = report.points[0], report.points[-1]
    assert (dear.shares, cheap.shares) == ((0.0, 1.0), (1.0, 0.0))
    assert (dear.cost, cheap.cost) == (0.02, 0.001)
    assert dear.quality == pytest.approx(report.qualities[1])
    assert report.apgr is not None
    assert report.apgr_interval is not None
    assert 0.6 < report.apgr_interval[0] < report.apgr < report.apgr_interval[1] < 0.8
    assert report.now.threshold == 0.5
    assert report.now.quality == pytest.approx(report.qualities[1] - 0.3 * 0.25, abs=0.05)


def test_a_calibrated_policy_is_shown_at_its_point() -> None:
    policy = calibrate(ByNumber(), drawn(300), share=0.3)
    report = RoutingReport.of(policy, labelled(1000))
    assert report.now.threshold == policy.point.threshold
    assert report.now.dearer == pytest.approx(0.3, abs=0.07)


def test_text_and_html_show_the_figures() -> None:
    report = RoutingReport.of(ByNumber(), labelled(1000), costs={"cheap": 0.001, "strong": 0.02})
    assert "to cheap  to strong  quality  USD a call" in repr(report)
    assert "now 0.5000" in repr(report)
    assert "APGR 0." in repr(report)
    assert "CPT80" in report._repr_html_()


def test_where_the_strong_target_is_no_better_it_says_so() -> None:
    rows = [LabelledPrompt(prompt=str(n), outcomes={"cheap": 1.0, "strong": 0.5}) for n in range(60)]
    report = RoutingReport.of(ByNumber(), rows)
    assert report.apgr is None
    assert "routing does not pay" in repr(report)


COSTS = {"cheap": 0.001, "strong": 0.02}


def test_what_deciding_costs_is_in_every_point() -> None:
    free = RoutingReport.of(ByNumber(), labelled(300), costs=COSTS)
    paid = RoutingReport.of(ByNumber(), labelled(300), costs=COSTS, overhead_usd=0.004)
    for one, other in zip((*free.points, free.now), (*paid.points, paid.now), strict=True):
        assert one.cost is not None
        assert other.cost == pytest.approx(one.cost + 0.004)
    assert free.saved_usd is not None
    assert paid.saved_usd == pytest.approx(free.saved_usd - 0.004)
    assert [one.cost for one in paid.comparison.singles] == [0.001, 0.02]
    assert "of which deciding 0.004000" in repr(paid)
    assert "of which deciding" not in repr(free)


def test_routing_that_pays_is_said_to_against_the_best_single_target() -> None:
    report = RoutingReport.of(ByNumber(), labelled(300), costs=COSTS)
    assert (report.best_single.target, report.pays) == ("strong", True)
    assert report.now.cost is not None
    assert report.saved_usd == pytest.approx(0.02 - report.now.cost)
    for shown in (repr(report), report._repr_html_()):
        assert "routing pays: 0.0" in shown
        assert "a request less than strong alone" in shown
        assert "cheap 0.001000 (quality 0." in shown


def test_routing_that_does_not_pay_is_said_not_to() -> None:
    rows = labelled(300)
    dear = RoutingReport.of(ByNumber(), rows, costs={"cheap": 0.001, "strong": 0.0012}, overhead_usd=0.0005)
    assert (dear.best_single.target, dear.pays) == ("strong", False)
    assert dear.saved_usd is not None
    assert dear.saved_usd < 0
    for shown in (repr(dear), dear._repr_html_()):
        assert "routing does not pay: 0.0" in shown
        assert "a request more than strong alone" in shown
        assert "routing pays" not in shown
    worse = [LabelledPrompt(prompt=str(n), outcomes={"cheap": 1.0, "strong": 0.5}) for n in range(60)]
    report = RoutingReport.of(ByNumber(), worse, costs=COSTS)
    assert (report.best_single.target, report.pays) == ("cheap", False)
    assert "routing does not pay" in repr(report)
    assert RoutingReport.of(ByNumber(), rows).pays is None


def test_the_plot_shows_each_target_alone_and_says_whether_it_pays() -> None:
    axes = RoutingReport.of(ByNumber(), labelled(300), costs=COSTS).plot()
    assert {line.get_label() for line in axes.lines} >= {"one target alone", "best alone: strong"}
    assert axes.get_title().startswith("routing pays")
    matplotlib.pyplot.close(axes.figure)


def test_the_plot_writes_names_as_they_are() -> None:
    rows = [LabelledPrompt(prompt=str(n), outcomes={"$cheap": 1.0, "$strong{": 0.5}) for n in range(60)]
    axes = RoutingReport.of(ByNumber(), rows, costs={"$cheap": 1e-5, "$strong{": 1e-3}).plot()
    axes.figure.canvas.draw()
    assert r"best alone: \$cheap" in {line.get_label() for line in axes.lines}
    assert r"\$cheap alone" in axes.get_title()
    matplotlib.pyplot.close(axes.figure)


def test_targets_at_one_price_do_not_pay_by_a_rounding_error() -> None:
    rows = [LabelledPrompt(prompt=str(n), outcomes={"a": 1.0, "b": 1.0}) for n in range(60)]
    for cents in range(1, 40):
        report = RoutingReport.of(ByNumber(), rows, costs=dict.fromkeys("ab", cents / 700))
        assert (report.pays, report.saved_usd) == (False, 0)
        assert "routing does not pay: it costs as much as a alone" in repr(report)


@pytest.mark.parametrize("overhead", [-1, float("nan"), float("inf"), "1", True])
def test_what_is_no_amount_is_refused(overhead: float) -> None:
    with pytest.raises(ConfigurationError, match="overhead_usd must be an amount"):
        RoutingReport.of(ByNumber(), labelled(60), costs=COSTS, overhead_usd=overhead)
    with pytest.raises(ConfigurationError, match="the cost of 'cheap' must be an amount"):
        RoutingReport.of(ByNumber(), labelled(60), costs={**COSTS, "cheap": overhead})


def test_what_deciding_costs_says_nothing_without_costs() -> None:
    with pytest.raises(ConfigurationError, match="without costs="):
        RoutingReport.of(ByNumber(), labelled(60), overhead_usd=0.1)


def graded(drafts: list[float]) -> list[LabelledPrompt]:
    return [LabelledPrompt(prompt=str(n), outcomes={"cheap": one, "strong": 1.0}) for n, one in enumerate(drafts)]


def test_a_cascade_pays_for_each_draft_and_for_some_answers_besides() -> None:
    scores, rows = [0.9, 0.8, 0.6, 0.2], graded([1.0, 1.0, 0.0, 0.0])
    report = RoutingReport.of_drafts(scores, rows, costs={"cheap": 1.0, "strong": 10.0}, overhead_usd=0.5)
    assert (report.now.threshold, report.now.shares, report.now.quality) == (0.5, (0.75, 0.25), 0.75)
    assert report.now.cost == 1.0 + 0.25 * 10.0 + 0.5
    assert (report.best_single.target, report.saved_usd, report.pays) == ("strong", 6.0, True)
    first, last = report.points[0], report.points[-1]
    assert (first.threshold, first.shares, first.cost) == (1.0, (0.0, 1.0), 11.5)
    assert (last.threshold, last.shares, last.cost) == (0.0, (1.0, 0.0), 1.5)
    at_score = RoutingReport.of_drafts(scores, rows, threshold=0.8)
    assert at_score.now.shares == (0.5, 0.5), "a draft at the threshold passes"
    assert at_score.now.quality == 1.0
    assert report.apgr == pytest.approx(0.75)


def test_a_cascade_that_throws_most_drafts_away_does_not_pay() -> None:
    drafts = [1.0] + [0.0] * 9
    report = RoutingReport.of_drafts(drafts, graded(drafts), costs={"cheap": 2.0, "strong": 10.0})
    assert report.now.cost == 2.0 + 0.9 * 10.0
    assert report.pays is False
    assert "routing does not pay: 1.000000 USD (10.0%) a request more than strong alone" in repr(report)


@pytest.mark.parametrize(
    ("scores", "rows", "options", "message"),
    [
        ([0.5], graded([1.0, 1.0]), {}, "2 prompts, but 1 scores"),
        ([0.5, 1.5], graded([1.0, 1.0]), {}, "between 0 and 1"),
        ([0.5, float("nan")], graded([1.0, 1.0]), {}, "between 0 and 1"),
        ([0.5], graded([1.0]), {"threshold": 2.0}, "between 0 and 1"),
        ([0.5], [LabelledPrompt(prompt="1", outcomes={"a": 1, "b": 1, "c": 1})], {}, "tell two targets apart"),
        ([], [], {}, "the labels are of"),
    ],
)
def test_bad_scores_of_drafts_are_refused(
    scores: list[float], rows: list[LabelledPrompt], options: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RoutingReport.of_drafts(scores, rows, **options)  # type: ignore[arg-type]


def test_the_frame_has_a_line_for_each_threshold() -> None:
    report = RoutingReport.of(ByNumber(), labelled(300))
    frame = report.to_frame()
    assert len(frame) == len(report.points)
    assert list(frame.columns) == ["share cheap", "share strong", "quality", "cost"]
    assert np.allclose(frame["share cheap"] + frame["share strong"], 1.0)


@pytest.mark.parametrize("costs", [None, {"cheap": 0.001, "strong": 0.02}])
def test_the_plot_marks_the_point(costs: dict[str, float] | None) -> None:
    axes = RoutingReport.of(ByNumber(), labelled(300), costs=costs).plot()
    assert axes.get_xlabel() == ("USD for a call" if costs else "not for the cheapest target")
    assert {line.get_label() for line in axes.lines} >= {"this policy", "at random", "at its threshold"}
    matplotlib.pyplot.close(axes.figure)


def test_a_learned_policy_has_a_report() -> None:
    rows = labelled_prompts(PROMPTS, OUTCOMES)
    report = RoutingReport.of(Learned.fit(PROMPTS, OUTCOMES), rows)
    assert report.targets == ("small", "large")
    assert report.apgr is not None
    assert report.apgr > 0.7


@pytest.mark.parametrize(
    ("policy", "rows", "costs", "message"),
    [
        (ByNumber(), (), None, "the labels are of"),
        (Rules(targets=("a", "b")), labelled(60), None, "the labels are of"),
        (ByNumber(), [LabelledPrompt(prompt="1", outcomes={"a": 1})], None, "nothing to choose"),
        (ByNumber(), labelled_prompts(["1", "2"], {"a": [1, None], "b": [1, 1]}), None, "some are missing"),
        (ByNumber(), labelled(60), {"cheap": 1.0}, r"\['strong'\] are missing"),
        (Rules(threshold=(0.5,)), labelled(60), None, "must have one threshold"),
        (lambda request: "a", labelled(60), None, "has no threshold"),
    ],
)
def test_bad_input_is_refused(policy: object, rows: object, costs: dict[str, float] | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RoutingReport.of(policy, rows, costs=costs)  # type: ignore[arg-type]
