"""Can a decision be read, in a terminal and in a notebook?"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from lc_costkit.routing import Policy, RouteDecision, RouteRequest, Rules, first_sure, sticky
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.explain import RouteExplanation
from lc_costkit.routing.target_model import TargetModel


def explanation(mode: str = "on") -> RouteExplanation:
    chooser = TargetChooser(
        ["small", "large"],
        policy=lambda request: RouteDecision(target="small", score=0.25, reasons=("short", "<b>plain</b>")),
        mode=mode,  # type: ignore[arg-type]
    )
    models = (("small", TargetModel("gpt-4o-mini", "openai")), ("large", TargetModel()))
    return RouteExplanation(choice=chooser.choose(RouteRequest(question="x")), targets=models, strong="large")


def test_text_shows_target_score_reasons_and_models() -> None:
    assert repr(explanation()).splitlines() == [
        "RouteExplanation",
        "  goes to       small",
        "  score         0.250",
        "  because       short",
        "                <b>plain</b>",
        "  target        small: gpt-4o-mini",
        "  strong target large: unnamed",
    ]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Rules(threshold=0.4), r"0\.\d{4} \(threshold 0\.4000: a dearer target from there on\)"),
        (Rules(threshold=(0.1, 0.30004)), r"0\.\d{4} \(thresholds 0\.1000, 0\.3000: a dearer"),
        (first_sure(sticky(Rules(threshold=0.4)), lambda request: "small", unsure=(0, 0)), r"\(threshold 0\.4000: "),
        (lambda request: "small", r"-$"),
    ],
)
def test_the_score_is_shown_with_the_threshold_it_is_held_against(policy: Policy, told: str) -> None:
    names = ["small", "middle", "large"] if "thresholds" in told else ["small", "large"]
    choice = TargetChooser(names, policy=policy).choose(RouteRequest(question="Why was I charged twice?"))
    assert re.match(f".*{told}", dict(RouteExplanation(choice=choice, targets=(), strong="large").rows())["score"])


def test_observe_mode_says_what_the_policy_chose() -> None:
    assert "large (observe mode; the policy chose small)" in str(explanation("observe"))


def test_a_developer_is_told_what_went_wrong_and_records_are_not() -> None:
    def fails(request: RouteRequest) -> str:
        raise ZeroDivisionError("the share of no calls")

    for policy, told in (
        (fails, "the routing policy failed (ZeroDivisionError: the share of no calls)"),
        (lambda request: "tiny", "failed (LookupError: the policy named 'tiny'; the targets are ['small', 'large'])"),
    ):
        chooser = TargetChooser(["small", "large"], policy=policy)
        assert told in chooser.choose(RouteRequest(question="x"), remember=False).decision.reasons[0]
        kept = chooser.choose(RouteRequest(question="x")).decision.reasons
        assert kept == (f"the routing policy failed ({told.partition('(')[2].partition(':')[0]})",)


def test_html_is_escaped() -> None:
    html = explanation()._repr_html_()
    assert "&lt;b&gt;plain" in html
    assert "<b>" not in html


def test_what_the_call_is_expected_to_cost_is_said_where_it_is_known() -> None:
    whole = explanation()
    decision = replace(whole.choice.decision, expected_cost=Decimal("0.0012"))
    priced = replace(whole, choice=replace(whole.choice, decision=decision))
    assert ("expected cost", "0.001200 USD") in priced.rows()
    assert "expected cost" not in dict(whole.rows())


def test_it_says_where_the_kit_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    assert "small (but LC_COSTKIT_DISABLE is set: all goes to large)" in str(explanation())
