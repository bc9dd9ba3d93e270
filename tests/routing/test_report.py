"""Can the cost and the quality of every threshold be read, framed and drawn?"""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import (
    Cheapest,
    LabelledPrompt,
    RouteRequest,
    RoutingReport,
    Rules,
    TargetModel,
    calibrate,
    first_sure,
    labelled_prompts,
)
from lc_costkit.routing.classifier import Classifier
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
    report = RoutingReport.of(ByNumber(), rows, targets=["cheap", "strong"])
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
    assert r"everything goes to \$cheap, which is as good as \$strong{" in axes.get_title()
    matplotlib.pyplot.close(axes.figure)


def test_targets_at_one_price_do_not_pay_by_a_rounding_error() -> None:
    rows = [LabelledPrompt(prompt=str(n), outcomes={"a": 1.0, "b": 1.0}) for n in range(60)]
    for cents in range(1, 40):
        report = RoutingReport.of(ByNumber(0.03), rows, costs=dict.fromkeys("ab", cents / 700))
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
        (lambda request: "a", labelled(60), None, "decided about none of 60 prompts"),
        (Cheapest(), labelled(60), None, "does not say which model it is"),
        ("Rules", labelled(60), None, "cannot be called"),
        (ByNumber(), labelled_prompts(["1", "2"], {"a": [1, 1], "b": [1, 1]}), {"a": 2, "b": 1}, "do not rise in it"),
    ],
)
def test_bad_input_is_refused(policy: object, rows: object, costs: dict[str, float] | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RoutingReport.of(policy, rows, costs=costs)  # type: ignore[arg-type]


def test_a_policy_that_routes_nothing_is_said_to_and_what_that_gives_up() -> None:
    rows = labelled(300)
    cheap, strong = RoutingReport.of(ByNumber(), rows).qualities
    told = f"everything goes to cheap, which gives up {strong - cheap:.3f} of the quality of strong alone"
    told += f" ({cheap:.3f} instead of {strong:.3f})"
    for options in ({}, {"costs": COSTS}):
        report = RoutingReport.of(ByNumber(1.0), rows, **options)  # type: ignore[arg-type]
        assert f"routing does not pay: {told}" in repr(report)
        assert "USD a request more" not in repr(report)
    paid = RoutingReport.of(ByNumber(1.0), rows, costs=COSTS, overhead_usd=0.0005)
    assert f"{told}, at 0.000500 USD a request more than cheap alone" in repr(paid)
    assert "routing does not pay: everything goes to strong" in repr(RoutingReport.of(ByNumber(0.0), rows, costs=COSTS))


def test_all_to_a_target_that_another_one_beats_is_said_with_it() -> None:
    rows = [LabelledPrompt(prompt=str(n), outcomes={"cheap": 1.0, "strong": 0.5}) for n in range(60)]
    told = repr(RoutingReport.of(ByNumber(0.0), rows, costs=COSTS))
    assert "everything goes to strong; routing does not pay: 0.019000 USD (1900.0%) a request more than cheap" in told


def test_the_order_of_the_outcomes_is_not_taken_for_granted() -> None:
    names = {"strong": [1.0] * 60, "cheap": [float(n % 2) for n in range(60)]}
    rows = labelled_prompts([str(n) for n in range(60)], names)
    with pytest.raises(ConfigurationError, match="clearly worse than 'strong'"):
        RoutingReport.of(ByNumber(), rows)
    with pytest.raises(ConfigurationError, match=r"costs do not rise in it: strong 0\.02, cheap 0\.001"):
        RoutingReport.of(ByNumber(), rows, costs=COSTS)
    with pytest.raises(ConfigurationError, match="do not rise"):
        RoutingReport.of_drafts([0.5] * 60, rows, costs=COSTS)
    said = RoutingReport.of(ByNumber(), rows, costs=COSTS, targets=["cheap", "strong"])
    assert said.targets == ("cheap", "strong")
    assert RoutingReport.of_drafts([0.5] * 60, rows, targets=["cheap", "strong"]).targets == said.targets
    assert RoutingReport.of(Rules(targets=("cheap", "strong")), rows).targets == said.targets
    with pytest.raises(ConfigurationError, match="but the policy's are"):
        RoutingReport.of(Rules(targets=("cheap", "strong")), rows, targets=["strong", "cheap"])
    mixed = [*rows[:30], *(LabelledPrompt(prompt="1", outcomes={"cheap": 0.0, "strong": 1.0}) for _ in range(30))]
    with pytest.raises(ConfigurationError, match="which is the strongest"):
        RoutingReport.of(ByNumber(), mixed)


def above_half(request: RouteRequest) -> str:
    return request.targets[int(request.question) >= 500]


def test_a_policy_without_a_threshold_is_reported_at_its_one_point() -> None:
    rows = labelled(300)
    same = RoutingReport.of(ByNumber(0.5), rows, costs=COSTS)
    report = RoutingReport.of(above_half, rows, costs=COSTS)
    assert (report.now.threshold, report.points) == (None, (report.now,))
    assert (report.now.shares, report.now.quality, report.now.cost) == (
        same.now.shares, same.now.quality, same.now.cost,
    )  # fmt: skip
    assert (report.comparison, report.pays) == (same.comparison, True)
    assert (report.apgr, report.cpt50) == (None, None)
    for shown in (repr(report), report._repr_html_()):
        assert "no threshold: one point" in shown
        assert "routing pays: " in shown
        assert "no better than" not in shown
    assert len(report.to_frame()) == 1
    for one in (report, RoutingReport.of(above_half, rows)):
        axes = one.plot()
        assert "at its threshold" not in {line.get_label() for line in axes.lines}
        assert "this policy" in {line.get_label() for line in axes.lines}
        matplotlib.pyplot.close(axes.figure)


def test_a_classifier_is_asked_once_about_each_prompt_and_may_not_pay() -> None:
    asked: list[str] = []

    def model(prompt: str) -> str:
        asked.append(prompt)
        return "strong" if len(asked) % 2 else "cheap"

    rows = labelled_prompts([f"Question {n}?" for n in range(40)], {"cheap": [0.9] * 40, "strong": [1.0] * 40})
    report = RoutingReport.of(Classifier(model), rows, costs={"cheap": 1.0, "strong": 2.0}, overhead_usd=0.6)
    assert len(asked) == 40
    assert (report.now.shares, report.now.cost, report.pays) == ((0.5, 0.5), 2.1, False)
    assert "of which deciding 0.600000" in repr(report)


def test_every_policy_of_the_kit_has_a_report() -> None:
    rows = labelled_prompts(["Hi", "Prove it: x^2 > x for all x > 1"] * 30, {"a": [1.0, 0.5] * 30, "b": [1.0] * 60})
    models = {"a": TargetModel("gpt-4o-mini", "openai"), "b": TargetModel("gpt-4o", "openai")}
    cheapest = Cheapest(min_quality=0.9, quality={"a": 0.5, "b": 0.95}, models=models)
    assert RoutingReport.of(cheapest, rows).now.shares == (0.0, 1.0)
    assert RoutingReport.of(Rules(threshold=(0.3,)), rows).now.shares == (0.5, 0.5)
    assert RoutingReport.of(first_sure(Rules(threshold=0.3), lambda request: "b"), rows).now.threshold is None


def test_a_classifier_that_names_no_target_is_reported_with_its_faults() -> None:
    report = RoutingReport.of(Classifier(lambda prompt: "Well..."), labelled(60))
    assert report.now.shares == (0.0, 1.0)
    assert list(report.failed.values()) == [60]


def test_decisions_that_fail_count_for_the_strongest_target_and_are_told() -> None:
    def policy(request: RouteRequest) -> str:
        return {"1": "cheap", "2": "cheap"}[request.question]

    rows = labelled_prompts(["1", "2", "3"], {"cheap": [1.0] * 3, "strong": [1.0] * 3})
    report = RoutingReport.of(policy, rows)
    assert report.failed == {"the routing policy: KeyError": 1}
    assert report.now.shares == pytest.approx((2 / 3, 1 / 3))
    assert "a router goes on after them: the routing policy: KeyError (1 times)" in repr(report)


def test_a_policy_that_is_no_better_than_chance_does_not_pay_although_it_costs_less() -> None:
    rows = [
        LabelledPrompt(prompt=f"Prove {n}" if n % 2 else f"Hi {n}", outcomes={"cheap": 0.2, "strong": 1.0})
        for n in range(300)
    ]
    report = RoutingReport.of(Rules(), rows, costs={"cheap": 0.0004, "strong": 0.006})
    assert report.pays is False
    assert "routing does not pay: prompts sent at random cost no more (0.0032" in repr(report)
    assert "for its quality, 0.600" in repr(report)


def test_what_routing_that_pays_gives_up_is_said() -> None:
    rows = [
        LabelledPrompt(
            prompt=f"Prove {n}" if n % 2 else f"Hi {n}", outcomes={"cheap": 0.9 - 0.6 * (n % 2), "strong": 1.0}
        )
        for n in range(300)
    ]
    assert "; it gives up 0.050 of that" in repr(RoutingReport.of(Rules(), rows, costs={"cheap": 1, "strong": 10}))
