"""Can a decision be read, in a terminal and in a notebook?"""

from __future__ import annotations

from lc_costkit.routing import RouteDecision, RouteRequest
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


def test_observe_mode_says_what_the_policy_chose() -> None:
    assert "large (observe mode; the policy chose small)" in str(explanation("observe"))


def test_html_is_escaped() -> None:
    html = explanation()._repr_html_()
    assert "&lt;b&gt;plain" in html
    assert "<b>" not in html
